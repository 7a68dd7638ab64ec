"""A whole fake machine behind the ports of the real one, for looks, development and tests.

It is a model, not a recording: departments with devices make traffic, a script lets things happen to them, and all that
is told follows from that. It obeys the rules of the real machine: counters only grow, a transaction of the firewall is
in force whole or not at all and its elements end by themselves, a blocked device falls silent, a meter stops its
department at the limit to the packet, frames are bytes. What it shows depends on the seed, the time that passed, the
blocks and the limits, not on how often it was asked.

    scenario.py       the script: which second brings what, so that each event of the contract has its cause in a minute
    network.py     the departments and their devices: who is there, and how fast they are
    talk.py        what devices say; frames.py: the bytes of it
    wire.py        the passing of time: what each device carried, and the frames that went by
    firewall.py, dns_filter.py, meters.py, interfaces.py, kernel.py, board.py     the ports
    machine.py     all of it together
"""

from appliance.simulator.simulated_machine import SimulatedMachine

__all__ = ["CONFIG", "SimulatedMachine"]

# The configuration where nobody gave one. The quotas are small, so that the first is used up within the first minute
# and the second in about ten.
CONFIG = """\
[appliance]
position = "gateway"

[periods]
metering = 1
analytics = 1
health = 5

[[departments]]
id = "dept123"
name = "Radiology"
interface = "eth1"
subnets = ["192.168.1.0/24"]
line_rate = "250 Mbit"

[departments.quota]
daily = "400 MB"
weekly = "5 GB"
monthly = "20 GB"

[[departments]]
id = "dept456"
name = "Administration"
interface = "eth2"
subnets = ["192.168.2.0/24"]
line_rate = "100 Mbit"

[departments.quota]
daily = "250 MB"
monthly = "5 GB"
"""
