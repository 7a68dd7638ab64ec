"""A whole fake machine behind the ports of the real one, for looks, development and tests.

It is a model, not a recording: the devices of departments make traffic, a scenario acts on them, and every reading and
frame follows from that. It obeys the rules of the real machine: counters only grow, a firewall transaction takes effect
whole or not at all and its elements expire by themselves, a blocked device falls silent, a meter stops its department
within one packet of the limit, frames are bytes. Its state depends on the seed, the elapsed time, the blocks and the
limits, not on how often it is read.

    scenario.py            the acts, by second: each event of the contract has its cause within the first minute
    network.py             the departments and their devices: presence and rates
    conversations.py       the packets that devices exchange; frames.py: their bytes
    wire.py                time: what each device carried, and the frames that passed
    firewall.py, dns_filter.py, meters.py, interfaces.py, kernel.py, device.py     the ports
    simulated_machine.py   the whole machine, its operator, and people who are cut off
"""

from appliance.simulator.simulated_machine import SimulatedMachine

__all__ = ["CONFIG", "SimulatedMachine"]

# The configuration of a simulation without a file. The quotas are small: the first is used up within the first minute,
# and cuts its department off until the simulated operator grants more; the second after about ten.
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
on_exceeded = "block"
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
