import pytest

from appliance.core.machine import Order
from appliance.system.firewall import NftablesFirewall
from appliance.system.nftables import FirewallUnavailable, Nftables
from tests.lab.network import WEB_V4, WEB_V6

ANSWERED, REFUSED = 0, 7  # exit codes of curl; 28 would be a timeout
FOREIGN = "table inet theirs { chain c { type filter hook input priority 0; tcp dport 9 drop; }; }"


def _firewall(lab):
    with lab.appliance.entered():
        return NftablesFirewall(Nftables().run)


def _enforce(lab, *orders):
    firewall = _firewall(lab)
    assert firewall.sync({"eth1": orders}) is None
    return firewall


def _visits(host):
    return [host.fetch(address, wait_s=10).returncode for address in (WEB_V4[0], WEB_V6[0])]


@pytest.mark.parametrize(
    "targets",
    [("10.20.0.11", "fd20::11"), ("10.20.0.8/29", "fd20::10/124"), (WEB_V4[0], WEB_V6[0]), ("0.0.0.0/0", "::/0")],
    ids=["host", "prefix", "server", "everything"],
)
def test_what_is_blocked_is_refused_at_once_in_both_families(inline, targets):
    inline.start_web()
    assert _visits(inline.hosts[0]) == [ANSWERED, ANSWERED]
    _enforce(inline, *map(Order, targets))
    assert _visits(inline.hosts[0]) == [REFUSED, REFUSED]


def test_who_is_not_blocked_passes_as_before(inline):
    inline.start_web()
    _enforce(inline, Order("10.20.0.11"), Order("fd20::11"))
    assert _visits(inline.hosts[1]) == [ANSWERED, ANSWERED]


def test_a_blocked_ping_is_answered_with_a_prohibition(inline):
    _enforce(inline, Order("10.20.0.11"), Order("fd20::11"))
    for address, said in ((inline.uplink.ipv4, "Packet filtered"), (inline.uplink.ipv6, "Administratively prohibited")):
        command = ["ping", "-n", "-c", "1", "-W", "5", address]
        assert said in inline.hosts[0].run(command, check=False).stdout


def test_nothing_from_outside_reaches_a_blocked_host(inline):
    host = inline.hosts[0]
    assert inline.uplink.ping(host.ipv4)
    _enforce(inline, Order(host.ipv4), Order(host.ipv6))
    before = host.counters()[0]
    assert not inline.uplink.ping(host.ipv4, wait_s=0.3)
    assert not inline.uplink.ping(host.ipv6, wait_s=0.3)
    inline.appliance.run(["nft", "flush", "table", "netdev", "appliance"])
    assert inline.uplink.ping(host.ipv4)
    assert host.counters()[0] > before  # and the counter would have shown it


def test_an_established_connection_is_cut(inline):
    inline.start_iperf3()
    transfer = inline.hosts[0].spawn(
        ["iperf3", "--client", inline.uplink.ipv4, "--time", "60", "--bitrate", "10M", "--forceflush"], ready="sec"
    )
    _enforce(inline, Order("10.20.0.11"))
    transfer.wait_for("error")
    assert transfer.process.wait(timeout=30) != 0


def test_a_block_ends_by_itself(inline, until):
    inline.start_web()
    firewall = _enforce(inline, Order("10.20.0.11", 1.0), Order("fd20::/64", 0.2))
    assert _visits(inline.hosts[0]) == [REFUSED, REFUSED]
    until(lambda: _visits(inline.hosts[0]) == [ANSWERED, ANSWERED])
    assert firewall.enforced() == {"eth1": frozenset()}


def test_a_block_that_is_nearly_over_is_not_one_for_ever(gateway, until):
    firewall = _enforce(gateway, Order("10.20.0.11", 0.0001), Order("10.20.0.12", -5.0))
    until(lambda: firewall.enforced() == {"eth1": frozenset()})


def test_what_is_enforced_is_what_was_ordered(gateway):
    targets = {
        *("10.20.0.11", "255.255.255.255", "fd20::11"),
        *("10.0.0.0/25", "10.0.0.128/25", "10.1.0.0/32", "10.1.0.1/32", "255.255.255.0/24"),
        *("2001:db8::/33", "2001:db8:8000::/33", "ffff::/16"),
    }
    for remaining_s in (None, 3600.0, 400 * 86_400.0):
        firewall = _enforce(gateway, *(Order(target, remaining_s) for target in targets))
        assert firewall.enforced() == {"eth1": targets}


def test_the_same_orders_again_change_nothing_and_others_replace_them(gateway):
    firewall = _enforce(gateway, Order("10.20.0.11"))
    assert firewall.sync({"eth1": [Order("10.20.0.11")]}) is None
    assert firewall.enforced() == {"eth1": {"10.20.0.11"}}
    assert firewall.sync({"eth0": [Order("10.9.0.0/16")], "eth1": []}) is None
    assert firewall.enforced() == {"eth0": {"10.9.0.0/16"}, "eth1": frozenset()}


def test_what_the_kernel_refuses_leaves_the_former_state_in_force(gateway):
    firewall = _enforce(gateway, Order("10.20.0.11"))
    reason = firewall.sync({"eth1": [Order("10.0.0.0/8"), Order("10.1.0.0/16")]})
    assert "conflicting intervals" in reason
    assert firewall.enforced() == {"eth1": {"10.20.0.11"}}


def test_another_programs_flush_is_noticed_and_mended(gateway):
    gateway.start_web()
    firewall = _enforce(gateway, Order("10.20.0.11"), Order("fd20::11"))
    gateway.appliance.run(["nft", "flush", "ruleset"])
    assert firewall.enforced() is None
    assert _visits(gateway.hosts[0]) == [ANSWERED, ANSWERED]
    assert firewall.sync({"eth1": [Order("10.20.0.11"), Order("fd20::11")]}) is None
    assert _visits(gateway.hosts[0]) == [REFUSED, REFUSED]


@pytest.mark.parametrize("damage", ["flush chain netdev appliance in-eth1", "flush chain netdev appliance out-eth1"])
def test_rules_that_somebody_removed_are_not_enforced(gateway, damage):
    firewall = _enforce(gateway, Order("10.20.0.11"))
    gateway.appliance.run(["nft", *damage.split()])
    assert firewall.enforced() == {}


def test_an_element_that_somebody_removed_is_not_enforced(gateway):
    firewall = _enforce(gateway, Order("10.20.0.11"), Order("10.20.0.12"))
    gateway.appliance.run(["nft", "delete element netdev appliance hosts4-eth1 { 10.20.0.11 }"])
    assert firewall.enforced() == {"eth1": {"10.20.0.12"}}


def test_other_tables_are_left_alone_and_release_takes_only_ours(gateway):
    gateway.appliance.run(["nft", "-f", "-"], given=FOREIGN)
    theirs = gateway.appliance.run(["nft", "list", "ruleset"]).stdout
    firewall = _enforce(gateway, Order("10.20.0.11"))
    assert gateway.appliance.run(["nft", "list", "table", "inet", "theirs"]).stdout == theirs
    firewall.release()
    firewall.release()
    assert gateway.appliance.run(["nft", "list", "ruleset"]).stdout == theirs
    assert firewall.enforced() is None


def test_an_interface_that_was_made_anew_is_blocked_again_after_the_next_sync(gateway):
    gateway.start_web()
    orders = {"eth1": [Order("10.20.0.11"), Order("fd20::11")]}
    firewall = _firewall(gateway)
    firewall.sync(orders)
    gateway.appliance.run(["ip", "link", "delete", "eth1"])
    assert firewall.sync({}) is None
    assert firewall.enforced() == {}
    gateway.cable_department()
    assert firewall.sync(orders) is None
    assert _visits(gateway.hosts[0]) == [REFUSED, REFUSED]
    firewall.release()
    assert _visits(gateway.hosts[0]) == [ANSWERED, ANSWERED]


def test_an_interface_that_is_missing_leaves_a_whole_state(gateway):
    firewall = _enforce(gateway, Order("10.20.0.11"))
    reason = firewall.sync({"eth1": [Order("10.20.0.12")], "eth7": []})
    # Kernels from 6.16 on accept a chain for an interface that does not exist yet; the earlier ones refuse.
    assert firewall.enforced()["eth1"] == ({"10.20.0.12"} if reason is None else {"10.20.0.11"})


@pytest.mark.parametrize("name", ["eth0.20", "br-lan", "in-out", '"};{', "@x", "-", "µ1"])
def test_any_name_that_an_interface_can_have_will_do(gateway, name):
    gateway.appliance.run(["ip", "link", "set", "eth1", "down"])
    gateway.appliance.run(["ip", "link", "set", "eth1", "name", name])
    firewall = _firewall(gateway)
    assert firewall.sync({name: [Order("10.20.0.11"), Order("10.9.0.0/16", 60)]}) is None
    assert firewall.enforced() == {name: {"10.20.0.11", "10.9.0.0/16"}}


def test_connections_are_tracked_only_where_that_is_asked_for(gateway):
    with gateway.appliance.entered():
        assert NftablesFirewall(Nftables().run, tracks_connections=False).sync({}) is None
    assert "table inet" not in gateway.appliance.run(["nft", "list", "ruleset"]).stdout
    with gateway.appliance.entered():
        assert NftablesFirewall(Nftables().run, tracks_connections=True).sync({}) is None
    assert "ct state new" in gateway.appliance.run(["nft", "list", "ruleset"]).stdout


def test_without_the_right_to_change_the_packet_filter_it_says_what_is_missing(run_unprivileged):
    said = run_unprivileged("from appliance.system.nftables import Nftables; Nftables()")
    assert FirewallUnavailable.__name__ in said
    assert "needs root (CAP_NET_ADMIN)" in said
