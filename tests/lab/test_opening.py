"""The open kernel: what is blocked and what is used up passes, is counted, and is held again when its time is over."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from appliance.core.kernel.nftables.block_rules import TABLE as BLOCKS
from appliance.core.kernel.nftables.ruleset import OPEN as OPEN_SET
from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.lab.blocks import firewall, pieces, place
from tests.lab.fixtures import Until
from tests.lab.lookups import FOUND, NONE, ask, denials, dns_filter
from tests.lab.network import WEB_V4, WEB_V6, Network
from tests.lab.test_meters import at_rest

LONG_S, SHORT_S = 3600.0, 3.0
REFUSED, ANSWERED = 7, 0  # exit codes of curl
OPEN = Plan("radiology", "eth1", Facing.DEPARTMENT)
USED_UP = replace(OPEN, stop_at_bytes=0, budget="none")
HOSTS = replace(OPEN, host_limit_bytes=1)
SLOW_HOSTS = replace(HOSTS, host_bytes_s=1)
SLOW = replace(OPEN, throttle_bytes_s=1)


@pytest.fixture
def meters(inline: Network) -> Iterator[NftablesMeters]:
    with inline.appliance.entered():
        shown = Nfnetlink(TABLE)
        made = NftablesMeters(Nftables(), shown, SetElements(), "boot")
    yield made
    shown.close()


def fetched(lab: Network) -> list[int]:
    return [lab.hosts[0].fetch(address).returncode for address in (WEB_V4[0], WEB_V6[0])]


def rules(lab: Network) -> str:
    return lab.appliance.run(["nft", "list", "table", "netdev", BLOCKS]).stdout


def test_blocked_addresses_pass_while_it_is_open_and_the_kernel_closes_by_itself(inline: Network, until: Until) -> None:
    inline.start_web()
    mac = inline.hosts[0].mac()
    with firewall(inline) as blocks:
        assert blocks.install_rules([place()]) is None
        for blocked in (pieces(*WEB_V4, *WEB_V6), pieces("198.51.100.0/24", mac), pieces(mac, department="dept")):
            assert blocks.replace_elements(blocked, 0.0) is None
            reached = [WEB_V4[0], WEB_V6[0]]
            refused = [one for one in reached if inline.hosts[0].fetch(one, wait_s=1).returncode != ANSWERED]
            assert refused, "something is blocked"
            assert blocks.let_pass(LONG_S) is None
            assert fetched(inline) == [ANSWERED, ANSWERED]
            assert blocks.is_intact()
            assert blocks.tampered_by() is None
            assert f"@{OPEN_SET}" in rules(inline)
            assert blocks.let_pass(0) is None
            assert f"@{OPEN_SET}" not in rules(inline), "what is stopped does not pay for an opening"
            assert [one for one in reached if inline.hosts[0].fetch(one, wait_s=1).returncode != ANSWERED] == refused
        assert blocks.let_pass(SHORT_S) is None
        assert inline.hosts[0].ping(WEB_V4[0])
        until(lambda: not inline.hosts[0].ping(WEB_V4[0], wait_s=0.5))


def test_a_lease_is_renewed_and_shortened(inline: Network, until: Until) -> None:
    with firewall(inline) as blocks:
        assert blocks.install_rules([place()]) is None
        assert blocks.replace_elements(pieces(*WEB_V4), 0.0) is None
        for seconds in (SHORT_S, LONG_S, SHORT_S):
            assert blocks.let_pass(seconds) is None
        until(lambda: not inline.hosts[0].ping(WEB_V4[0], wait_s=0.5))


@pytest.mark.parametrize("plan", [USED_UP, HOSTS, SLOW_HOSTS, SLOW], ids=["department", "hosts", "slow hosts", "slow"])
def test_a_quota_limits_nobody_while_it_is_open_and_all_is_counted(
    inline: Network, meters: NftablesMeters, plan: Plan, until: Until
) -> None:
    inline.start_iperf3()
    host = inline.hosts[0]
    assert meters.apply([OPEN]) is None
    assert host.ping(WEB_V4[0])
    before = at_rest(meters)["radiology"]
    assert meters.apply([plan]) is None
    assert meters.let_pass(LONG_S) is None
    host.run(["timeout", "60", "iperf3", "-c", WEB_V4[0], "-n", "5M"])
    after = at_rest(meters)["radiology"]
    assert after.total_bytes - before.total_bytes > 2_500_000, "iperf3 ends before all of it has left"
    assert after.identity == before.identity
    assert meters.apply([plan]) is None, "a step that changes nothing"
    assert host.ping(WEB_V4[0])
    assert meters.let_pass(0) is None
    assert host.run(["timeout", "3", "iperf3", "-c", WEB_V4[0], "-n", "5M"], check=False).returncode != 0
    if plan is USED_UP:
        stopped = at_rest(meters)["radiology"].total_bytes
        assert not host.ping(WEB_V4[0], wait_s=0.5)
        assert at_rest(meters)["radiology"].total_bytes == stopped
    assert meters.let_pass(SHORT_S) is None
    assert host.ping(WEB_V4[0])
    if plan is USED_UP or plan is HOSTS:
        until(lambda: not host.ping(WEB_V4[0], wait_s=0.5))


def test_denied_names_are_answered_while_it_is_open_also_by_a_new_program(inline: Network, until: Until) -> None:
    inline.start_dns()
    host, server, name = inline.hosts[0], inline.uplink.ipv4, "www.example.com"
    with dns_filter(inline) as filtering:
        assert filtering.replace_denials([place()], denials(name), 0.0) is None
        assert ask(host, name, server) == NONE
        assert filtering.let_pass(LONG_S) is None
        assert ask(host, name, server) == FOUND
        assert ask(host, name, server, "+tcp") == FOUND
        many = [f"n{number}.example.org" for number in range(2000)]
        assert filtering.replace_denials([place()], denials(name, *many), 0.0) is None
        assert ask(host, name, server) == FOUND
        assert filtering.let_pass(0) is None
        assert ask(host, name, server) == NONE
        assert filtering.let_pass(SHORT_S) is None
        assert ask(host, name, server) == FOUND
        until(lambda: ask(host, name, server) == NONE)
