from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_interface, ip_network
from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.blocking.block import Block, BlockRequest
from appliance.core.blocking.blocked_names import SharedAddresses
from appliance.core.blocking.place import Hit
from appliance.core.blocking.protection import Protected, protected_host
from appliance.core.blocking.sets import mark_of
from appliance.core.blocking.spaces import TOGETHER
from appliance.core.machine import Counters, Link, Position
from appliance.core.metering.department import Department
from appliance.core.metering.quota import Limits
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.core.traffic.dns import DnsAnswer
from appliance.events import Event, IpBlocked, IpUnblocked
from appliance.monitor.blocking.announcements import MOST_AT_ONCE
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.blocking.hits import KEPT_LOOKS, MOST_LOGGED
from appliance.monitor.blocking.reconciler import RETRY_S
from appliance.monitor.blocking.tampering import SHOWN_S
from appliance.simulator.dns_filter import SimulatedDnsFilter
from appliance.simulator.firewall import SimulatedFirewall
from appliance.system.storage.store import COLLECTED_AT_ONCE, SqliteStore
from tests.lab.blocks import FakeInterfaces, remaining_s, targets

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SALES = Department("sales", "Sales", "eth1", Limits({}), subnets=(ip_network("10.0.0.0/24"),))
LAB = Department("lab", "Lab", "eth1", Limits({}), subnets=(ip_network("10.0.1.0/24"),))
SECONDS = 3600


class Kernel(SimulatedFirewall):
    """The simulated packet filter; a test may flush it, or make it refuse changes."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        super().__init__(["eth1"], elapsed)
        self.culprit: str | None = None
        self.refusal: str | None = None
        self.transactions = 0
        self.stopped_hosts: list[Hit] = []

    def hit_counts(self) -> list[Hit]:
        return self.stopped_hosts

    def flush(self, culprit: str | None) -> None:
        self._places, self._sets, self.culprit = None, {}, culprit

    def tampered_by(self) -> str | None:
        culprit, self.culprit = self.culprit, None
        return culprit

    def _put(self, *arguments) -> str | None:
        self.transactions += 1
        return self.refusal or super()._put(*arguments)


class DnsKernel(SimulatedDnsFilter):
    """The simulated DNS filter; a test may remove it, or make it refuse changes."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        super().__init__(["eth1"], elapsed)
        self.refusal: str | None = None
        self.is_taken = False
        self.met: list[Hit] = []
        self.unread = 0

    def flush(self) -> None:
        self._places, self._denied, self.is_taken = [], {}, True

    def is_intact(self) -> bool:
        return not self.is_taken

    def hit_counts(self) -> list[Hit]:
        return self.met

    def unreadable(self) -> int:
        return self.unread

    def replace_denials(self, *arguments) -> str | None:
        if self.refusal is None:
            self.is_taken = False
        return self.refusal or super().replace_denials(*arguments)


class Rig:
    """An `Enforcement` over a kernel in memory and a store on the disk, and a clock that a test moves."""

    def __init__(self, path: Path, position: Position = Position.GATEWAY) -> None:
        self.path, self.position = path, position
        self.departments = [SALES, LAB]
        self.at_s = 0.0  # true seconds since noon
        self.error_s = 0.0  # of the wall clock
        self.is_trusted = True
        self.booted_s = 0.0
        self.kernel = Kernel(lambda: self.at_s)
        self.dns_filter = DnsKernel(lambda: self.at_s)
        self.published: list[Event] = []
        self.links = {"eth1": Link("eth1", 2, "02:00:00:00:00:01", "boot", True, Counters(0, 0))}
        self.writable: Refused | None = None
        self.shared = SharedAddresses.BLOCK
        self.gateway = "10.0.0.254"
        self.own_names = ["pi", "pi.example.org"]
        self.start()

    def start(self) -> None:
        self.store = SqliteStore(self.path)
        self.enforcement = Enforcement(
            departments=self.departments,
            position=self.position,
            protected=[Protected(ip_network("10.9.9.9"), "the configuration protects it")],
            interfaces=FakeInterfaces(self.links),
            upstream=self,
            firewall=self.kernel,
            dns_filter=self.dns_filter,
            store=self.store,
            require_writable=self.require_writable,
            publish=self.published.append,
            shared=self.shared,
        )
        self.enforcement.restore(self.now())
        self.enforcement.remember(self.now())

    def essentials(self):
        return [protected_host(ip_address(self.gateway), "it is the appliance's gateway")]

    def names(self):
        return self.own_names

    def get_address(self, *addresses: str) -> None:
        """The appliance has these addresses from now on; half a minute passes."""
        own = tuple(map(ip_interface, addresses))
        self.links["eth1"] = replace(self.links["eth1"], addresses=own)
        self.pass_(30)

    def require_writable(self) -> None:
        if self.writable is not None:
            raise self.writable

    def now(self) -> Moment:
        wall = NOON + timedelta(seconds=self.at_s + self.error_s)
        return Moment(wall, self.at_s - self.booted_s, self.is_trusted)

    def crash(self) -> None:
        self.store.close()
        self.start()

    def lose_power(self, seconds: float) -> None:
        """The kernel loses its state, and a computer without a clock of its own starts in 1970."""
        self.store.close()
        self.at_s += seconds
        self.booted_s = self.at_s
        self.error_s = -(NOON.timestamp() + self.at_s)
        self.is_trusted = False
        self.kernel.flush(None)
        self.dns_filter.flush()
        self.start()

    def know_the_time(self) -> None:
        self.error_s, self.is_trusted = 0.0, True
        self.enforcement.step(self.now())

    def pass_(self, seconds: float) -> None:
        self.at_s += seconds
        self.enforcement.step(self.now())

    def block(self, *targets: str, seconds: int = 0, department: str | None = None, origin: str = "manual"):
        asked = [BlockRequest(one, "because", seconds, department, "me", origin, "10.0.0.99") for one in targets]
        return self.enforcement.block(asked, self.now())

    def unblock(self, *targets: str, department: str | None = None, origin: str | None = None):
        return self.enforcement.unblock(targets, department, "me", self.now(), origin=origin)

    def in_force(self, department: str | None = None) -> set[str]:
        return targets(self.kernel, department)

    def denies(self, name: str, address: str = "10.0.0.5") -> bool:
        return self.dns_filter.denies("eth1", ip_address(address), name, self.at_s)

    def told(self, kind: type) -> list[tuple[str, str]]:
        return [(one.department_id, one.ip.address) for one in self.published if isinstance(one, kind)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "state.sqlite3")
    with closing(made.store):
        yield made


def test_a_block_is_in_force_saved_and_published_when_the_call_returns(rig: Rig) -> None:
    [block] = rig.block("10.0.0.1", seconds=SECONDS, department="sales")
    assert rig.in_force("sales") == {"10.0.0.1"}
    assert rig.in_force() == rig.in_force("lab") == set()
    assert rig.told(IpBlocked) == [("sales", "10.0.0.1")]
    assert rig.enforcement.is_enforced(block)
    assert [one.target for one in rig.store.blocks()] == ["10.0.0.1"]


def test_a_change_is_one_small_transaction(rig: Rig) -> None:
    rig.block(*[f"10.7.{high}.{low}" for high in range(10) for low in range(100)])
    before = rig.kernel.transactions
    rig.block("10.0.0.1")
    rig.unblock("10.0.0.1")
    for _ in range(10):
        rig.pass_(1)
    assert rig.kernel.transactions == before + 2


def test_a_target_that_two_origins_block_is_free_when_both_lifted_it(rig: Rig) -> None:
    rig.block("10.0.0.1")
    rig.block("10.0.0.1", origin="list:bad", seconds=SECONDS)
    assert [one.origin for one in rig.unblock("10.0.0.1", origin="list:bad")] == ["list:bad"]
    assert rig.in_force() == {"10.0.0.1"}
    rig.block("10.0.0.1", origin="list:bad")
    assert len(rig.unblock("10.0.0.1")) == 2
    assert rig.in_force() == set()


def test_a_wide_block_that_ends_earlier_leaves_a_narrow_one_in_force_and_is_whole_when_that_is_lifted(rig: Rig) -> None:
    rig.block("10.4.0.0/16", seconds=SECONDS)
    rig.block("10.4.4.0/24")
    rig.unblock("10.4.4.0/24")
    assert rig.in_force() == {"10.4.0.0/16"}
    rig.block("10.4.4.0/24")
    rig.pass_(SECONDS)
    assert rig.in_force() == {"10.4.4.0/24"}
    ended = [address for department, address in rig.told(IpUnblocked) if department == "sales"]
    assert ended == ["10.4.4.0/24", "10.4.0.0/16"]


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("10.9.0.0/16", "the configuration protects it"),
        ("10.0.0.99", "this command comes from it"),
        ("10.0.0.254", "it is the appliance's gateway"),
        ("02:00:00:00:00:01", "the appliance's own hardware address"),
        ("0.0.0.0/0", "it would block everything"),
        ("pi.example.org", "the appliance's own name is pi.example.org"),
        ("example.org", "the appliance's own name is pi.example.org"),
    ],
)
def test_a_batch_with_a_protected_target_is_refused_whole(rig: Rig, target, rule) -> None:
    with pytest.raises(Refused, match=rule) as refused:
        rig.block("10.0.0.1", target)
    assert refused.value.code is Code.PROTECTED_ADDRESS
    assert rig.in_force() == set()
    assert rig.store.blocks() == []


def test_a_batch_with_a_target_that_is_not_blocked_lifts_nothing(rig: Rig) -> None:
    rig.block("10.0.0.1")
    with pytest.raises(Refused, match=r"10\.0\.0\.2 is not blocked"):
        rig.unblock("10.0.0.1", "10.0.0.2")
    assert rig.in_force() == {"10.0.0.1"}


def test_after_a_crash_everything_is_as_it_was(rig: Rig) -> None:
    rig.block("10.0.0.1", "10.4.0.0/16", "02:00:00:00:00:07", seconds=SECONDS)
    rig.block("10.0.0.2", department="lab")
    rig.pass_(100)
    told = len(rig.published)
    rig.crash()
    assert (rig.in_force(), rig.in_force("lab")) == ({"10.0.0.1", "10.4.0.0/16", "02:00:00:00:00:07"}, {"10.0.0.2"})
    assert len(rig.published) == told
    rig.pass_(SECONDS)
    assert (rig.in_force(), rig.in_force("lab")) == (set(), {"10.0.0.2"})


def test_a_block_of_a_department_that_is_no_longer_configured_waits_and_others_are_in_force(rig: Rig) -> None:
    rig.block("10.0.0.1", "example.com", department="lab")
    rig.block("10.0.0.2", "example.net")
    rig.departments = [SALES]
    rig.crash()
    assert rig.in_force() == {"10.0.0.2"}
    assert rig.denies("example.net")
    assert rig.enforcement.troubles(rig.now()) == []
    rig.departments = [SALES, LAB]
    rig.crash()
    assert rig.in_force("lab") == {"10.0.0.1"}
    assert rig.denies("example.com", "10.0.1.5")


def test_without_a_clock_a_block_has_the_same_remaining_time_after_a_power_cut(rig: Rig) -> None:
    rig.block("10.0.0.1", seconds=SECONDS)
    rig.pass_(600)
    rig.lose_power(300)
    assert remaining_s(rig.kernel) == pytest.approx([SECONDS - 600], abs=1)
    [block] = rig.enforcement.blocks(rig.now())
    assert rig.enforcement.remaining_s(block, rig.now()) == pytest.approx(SECONDS - 600, abs=1)


def test_when_the_time_is_known_a_block_has_its_true_end_again(rig: Rig) -> None:
    rig.block("10.0.0.1", seconds=SECONDS)
    rig.pass_(600)
    rig.lose_power(1000)
    rig.know_the_time()
    assert remaining_s(rig.kernel) == pytest.approx([SECONDS - 1600], abs=1)
    rig.lose_power(SECONDS)
    assert rig.in_force() == {"10.0.0.1"}
    rig.know_the_time()
    assert rig.in_force() == set()


def test_a_block_from_before_the_time_is_known_keeps_its_remaining_time(rig: Rig) -> None:
    rig.pass_(400)
    rig.lose_power(1000)
    rig.block("10.0.0.1", seconds=SECONDS)
    rig.pass_(50)
    rig.know_the_time()
    [block] = rig.store.blocks()
    assert block.expires_at == NOON + timedelta(seconds=rig.at_s - 50 + SECONDS)
    rig.crash()
    assert remaining_s(rig.kernel) == pytest.approx([SECONDS - 50], abs=1)


def test_when_the_clock_is_moved_lifetimes_in_the_kernel_follow(rig: Rig) -> None:
    rig.block("10.0.0.1", seconds=SECONDS)
    rig.error_s = 1000.0
    rig.pass_(1)
    assert remaining_s(rig.kernel) == pytest.approx([SECONDS - 1001], abs=1)


@pytest.mark.parametrize("who", ["nft (process 7)", None])
def test_removed_rules_are_back_within_a_step_and_the_incident_is_shown_for_minutes(rig: Rig, who: str | None) -> None:
    rig.block("10.0.0.1", "10.4.0.0/16")
    rig.kernel.flush(who)
    rig.pass_(1)
    assert rig.in_force() == {"10.0.0.1", "10.4.0.0/16"}
    [told] = rig.enforcement.troubles(rig.now())
    assert told.startswith(f"{who or 'somebody'} changed the blocks in the kernel at 12:00:01 UTC")
    rig.pass_(SHOWN_S + 1)
    assert rig.enforcement.troubles(rig.now()) == []


def test_a_refused_block_is_shown_and_tried_again_and_others_stay_in_force(rig: Rig) -> None:
    rig.block("10.0.0.1")
    rig.kernel.refusal = "Cannot allocate memory (ENOMEM)"
    [block] = rig.block("10.0.0.2")
    assert not rig.enforcement.is_enforced(block)
    assert rig.in_force() == {"10.0.0.1"}
    assert rig.enforcement.tally(SALES) == (2, 1)
    assert "ENOMEM" in rig.enforcement.troubles(rig.now())[0]
    assert ("sales", "10.0.0.2") not in rig.told(IpBlocked)
    rig.kernel.refusal = None
    rig.pass_(RETRY_S)
    assert rig.in_force() == {"10.0.0.1", "10.0.0.2"}
    assert rig.enforcement.tally(SALES) == (2, 2)
    assert rig.enforcement.troubles(rig.now()) == []
    assert ("sales", "10.0.0.2") in rig.told(IpBlocked)


def test_without_its_interface_no_block_is_in_force_until_that_is_back(rig: Rig) -> None:
    rig.block("10.0.0.1")
    link = rig.links.pop("eth1")
    rig.pass_(1)
    assert rig.enforcement.tally(SALES) == (1, 0)
    rig.links["eth1"] = link
    rig.pass_(1)
    assert rig.enforcement.tally(SALES) == (1, 1)
    assert rig.enforcement.troubles(rig.now()) == []


def test_a_block_is_published_when_its_interface_exists(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "state.sqlite3")
    link = rig.links.pop("eth1")
    rig.pass_(1)
    rig.block("10.0.0.1")
    assert rig.told(IpBlocked) == []
    rig.links["eth1"] = link
    rig.pass_(1)
    assert len(rig.told(IpBlocked)) == 2


def test_an_audit_finds_elements_that_went_without_notice(rig: Rig) -> None:
    rig.block("10.0.0.1", "10.0.0.2")
    for found in rig.kernel._sets.values():
        found.pop((0x0A000001, 0x0A000001), None)
    rig.pass_(60)
    assert rig.in_force() == {"10.0.0.2"}
    rig.enforcement.audit(rig.now(), lambda: None)
    assert rig.enforcement.tally(SALES) == (2, 1)
    rig.pass_(1)
    assert rig.in_force() == {"10.0.0.1", "10.0.0.2"}
    assert rig.enforcement.tally(SALES) == (2, 2)


def test_thousands_are_published_in_portions_and_entries_of_lists_are_not(rig: Rig) -> None:
    rig.block(*[f"10.7.{high}.{low}" for high in range(5) for low in range(100)], department="sales")
    assert len(rig.told(IpBlocked)) == MOST_AT_ONCE
    rig.pass_(1)
    rig.pass_(1)
    assert len(rig.told(IpBlocked)) == 500
    [listed] = rig.block("10.8.0.1", origin="list:bad")
    assert rig.enforcement.is_enforced(listed)
    assert len(rig.told(IpBlocked)) == 500


def test_where_the_position_cannot_enforce_blocks_are_kept_and_published_as_not_enforced(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "state.sqlite3", Position.MIRROR)
    [block] = rig.block("10.0.0.1", department="sales")
    assert not rig.enforcement.is_enforced(block)
    [told] = rig.published
    assert isinstance(told, IpBlocked)
    assert told.ip.enforced is False
    assert rig.kernel.transactions == 0
    assert rig.enforcement.tally(SALES) == (1, 0)


def test_addresses_of_a_blocked_name_are_blocked_until_they_expire_or_it_is_lifted(rig: Rig) -> None:
    rig.block("example.com", department="sales")
    answer = DnsAnswer("10.0.0.5", "www.example.com", ("10.5.0.1", "10.5.0.2", "10.0.0.254"), 900)
    rig.enforcement.hear("lab", answer, rig.now())
    assert rig.in_force("sales") == set()
    rig.enforcement.hear("sales", answer, rig.now())
    assert rig.in_force("sales") == {"10.5.0.1", "10.5.0.2"}
    [told] = rig.enforcement.troubles(rig.now())
    assert "10.0.0.254, which is not blocked: it is the appliance's gateway" in told
    rig.crash()
    assert rig.in_force("sales") == {"10.5.0.1", "10.5.0.2"}
    rig.pass_(800)
    rig.enforcement.hear("sales", DnsAnswer("10.0.0.5", "example.com", ("10.5.0.2",), 900), rig.now())
    rig.pass_(100)
    assert rig.in_force("sales") == {"10.5.0.2"}
    rig.unblock("example.com", department="sales")
    assert rig.in_force("sales") == set()
    assert rig.store.learned() == []


def test_a_block_by_hand_of_an_address_outlives_the_name_that_resolves_to_it(rig: Rig) -> None:
    rig.block("example.com", "10.5.0.1")
    rig.enforcement.hear("sales", DnsAnswer("10.0.0.5", "example.com", ("10.5.0.1",), 900), rig.now())
    rig.unblock("example.com")
    assert rig.in_force() == {"10.5.0.1"}


def test_hits_are_logged_and_a_flood_of_hosts_takes_a_few_lines(rig: Rig, caplog) -> None:
    caplog.set_level("INFO")
    rig.block("203.0.113.5")
    [block] = rig.enforcement.blocks(rig.now())
    mark = mark_of(block.origin, block.number)
    rig.kernel.stopped_hosts = [Hit(mark, "10.0.0.7", 12), Hit(mark, "10.0.0.8", 40)]
    caplog.clear()
    rig.enforcement.log_hits()
    assert [line.message.split(" was")[0] for line in caplog.records] == ["10.0.0.8", "10.0.0.7"]
    assert "40 times by the block of 203.0.113.5" in caplog.records[0].message
    rig.kernel.stopped_hosts[0] = Hit(mark, "10.0.0.7", 15)
    caplog.clear()
    rig.enforcement.log_hits()
    assert [line.message.split(" by")[0] for line in caplog.records] == ["10.0.0.7 was stopped 3 times"]
    rig.kernel.stopped_hosts = [Hit(mark, f"10.0.0.{host}", 99) for host in range(100, 200)]
    caplog.clear()
    rig.enforcement.log_hits()
    assert len(caplog.records) == MOST_LOGGED + 1


def test_a_block_says_what_it_refused_in_the_last_hour(rig: Rig) -> None:
    rig.block("203.0.113.5")
    rig.block("203.0.113.6")
    numbers = {block.target: block.number for block in rig.enforcement.blocks(rig.now())}
    mark = mark_of("manual", numbers["203.0.113.5"])
    rig.kernel.stopped_hosts = [Hit(mark, "10.0.0.7", 12), Hit(mark, "10.0.0.8", 40)]
    assert rig.enforcement.stopped_last_hour() == {}
    rig.enforcement.log_hits()
    rig.kernel.stopped_hosts = [Hit(mark, "10.0.0.7", 15)]
    rig.enforcement.log_hits()
    assert rig.enforcement.stopped_last_hour() == {numbers["203.0.113.5"]: 55}
    for _ in range(KEPT_LOOKS - 1):
        rig.enforcement.log_hits()
    assert rig.enforcement.stopped_last_hour() == {numbers["203.0.113.5"]: 3}, "the first minute is over an hour ago"
    rig.enforcement.log_hits()
    assert rig.enforcement.stopped_last_hour() == {}


def test_a_blocked_name_and_names_below_are_denied_until_it_is_lifted_or_expires(rig: Rig) -> None:
    rig.block("example.com", department="sales")
    rig.block("short.com", seconds=SECONDS)
    rig.pass_(1)
    assert rig.denies("www.example.com")
    assert not rig.denies("www.example.com", "10.0.1.5")
    assert rig.denies("short.com", "10.0.1.5")
    assert not rig.denies("example.org")
    rig.unblock("example.com", department="sales")
    rig.pass_(SECONDS)
    assert not rig.denies("example.com")
    assert not rig.denies("short.com")


def test_a_name_alone_and_the_names_below_it_are_blocked_apart(rig: Rig) -> None:
    rig.block("=alone.com", "*.below.com")
    asked = ("alone.com", "www.alone.com", "below.com", "www.below.com")
    assert [rig.denies(name) for name in asked] == [True, False, False, True]
    for number, name in enumerate(asked, 1):
        rig.enforcement.hear("sales", DnsAnswer("10.0.0.5", name, (f"203.0.113.{number}",), 60), rig.now())
    assert rig.in_force() == {"203.0.113.1", "203.0.113.4"}
    rig.block("*.alone.com", seconds=60)
    assert [rig.denies(name) for name in asked] == [True, True, False, True]
    assert "203.0.113.2" in rig.in_force()
    rig.pass_(61)
    assert [rig.denies(name) for name in asked] == [True, False, False, True]


def test_a_name_that_two_origins_block_is_denied_for_the_longer_time(rig: Rig) -> None:
    rig.block("example.com", seconds=60)
    rig.block("example.com", origin="list:bad", seconds=SECONDS)
    rig.pass_(61)
    assert rig.denies("example.com")
    rig.unblock("example.com")
    assert not rig.denies("example.com")


def test_denials_are_back_after_a_crash_and_after_a_power_cut_for_the_remaining_time(rig: Rig) -> None:
    rig.block("example.com", seconds=SECONDS)
    rig.pass_(600)
    rig.crash()
    assert rig.denies("example.com")
    rig.lose_power(1000)
    rig.pass_(SECONDS - 700)
    assert rig.denies("example.com")
    rig.pass_(200)
    assert not rig.denies("example.com")


def test_a_removed_dns_filter_is_back_within_a_step_and_the_incident_is_shown(rig: Rig) -> None:
    rig.block("example.com")
    rig.pass_(1)
    rig.dns_filter.flush()
    rig.pass_(1)
    assert rig.denies("example.com")
    [told] = rig.enforcement.troubles(rig.now())
    assert told.startswith("somebody took the filter of look-ups out of the kernel at 12:00:02 UTC")
    rig.links["eth1"] = replace(rig.links["eth1"], index=9)  # a recreated interface is no tampering
    rig.pass_(SHOWN_S + 1)
    rig.dns_filter.flush()
    rig.links["eth1"] = replace(rig.links["eth1"], index=10)
    rig.pass_(1)
    assert rig.denies("example.com")
    assert rig.enforcement.troubles(rig.now()) == []


def test_where_the_kernel_refuses_the_dns_filter_that_is_shown_and_tried_again_and_addresses_are_blocked(
    rig: Rig,
) -> None:
    rig.dns_filter.refusal = "Operation not permitted"
    rig.block("example.com")
    rig.enforcement.hear("sales", DnsAnswer("10.0.0.5", "example.com", ("10.5.0.1",), 900), rig.now())
    assert rig.in_force() == {"10.5.0.1"}
    [told] = rig.enforcement.troubles(rig.now())
    assert told == (
        "look-ups of blocked names are answered, and only what they resolve to is blocked: Operation not permitted"
    )
    rig.dns_filter.refusal = None
    rig.pass_(1)
    assert not rig.denies("example.com")
    rig.pass_(60)
    assert rig.denies("example.com")
    assert rig.enforcement.troubles(rig.now()) == []


def test_addresses_that_hosts_knew_before_a_name_was_blocked_are_blocked_with_it(rig: Rig) -> None:
    rig.enforcement.hear("sales", DnsAnswer("10.0.0.5", "www.example.com", ("10.5.0.1",), 60), rig.now())
    rig.enforcement.hear("lab", DnsAnswer("10.0.1.5", "www.example.com", ("10.5.0.1", "10.5.0.2"), 60), rig.now())
    rig.enforcement.hear("sales", DnsAnswer("10.0.0.5", "example.net", ("10.6.0.1",), 60), rig.now())
    rig.pass_(SECONDS)
    rig.block("example.com")
    assert rig.in_force() == {"10.5.0.1", "10.5.0.2"}
    rig.block("example.net", department="lab")
    assert rig.in_force("lab") == set()
    rig.unblock("example.com")
    assert rig.in_force() == set()


def test_refused_look_ups_are_logged_and_counted_with_stopped_packets(rig: Rig, caplog) -> None:
    caplog.set_level("INFO")
    [block] = rig.block("example.com")
    mark = mark_of(block.origin, block.number)
    rig.kernel.stopped_hosts = [Hit(mark, "10.0.0.7", 2)]
    rig.dns_filter.met = [Hit(mark, "10.0.0.7", 3), Hit(mark, "10.0.0.8", 1)]
    caplog.clear()
    rig.enforcement.log_hits()
    assert [line.message for line in caplog.records] == [
        "10.0.0.7 was stopped 5 times by the block of example.com: because",
        "10.0.0.8 was stopped 1 times by the block of example.com: because",
    ]


def test_an_address_that_becomes_the_appliances_own_is_open_whatever_blocks_it_and_closed_again_afterwards(
    rig: Rig,
) -> None:
    rig.block("192.0.2.7", "192.0.2.8", "198.51.100.0/24", "blocked.com")
    rig.block("192.0.2.7", department="sales", origin="detection")
    rig.enforcement.hear(
        "sales", DnsAnswer("10.0.0.5", "blocked.com", ("198.51.100.7", "203.0.113.7"), 9999), rig.now()
    )
    before = rig.in_force()
    assert before == {"192.0.2.7", "192.0.2.8", "198.51.100.0/24", "198.51.100.7", "203.0.113.7"}
    rig.get_address("192.0.2.7/24", "198.51.100.7/24", "203.0.113.7/24")
    assert rig.in_force("sales") == set()
    left = rig.in_force()
    assert {"192.0.2.8", "198.51.100.128/25", "198.51.100.6/32"} <= left
    assert {"192.0.2.7", "198.51.100.7", "203.0.113.7", "198.51.100.0/24"}.isdisjoint(left)
    found = {one.target: rig.enforcement.is_enforced(one) for one in rig.enforcement.blocks(rig.now())}
    assert (found["192.0.2.7"], found["192.0.2.8"], found["198.51.100.0/24"]) == (False, True, True)
    assert [one for one in rig.enforcement.troubles(rig.now()) if "192.0.2.7" in one and "own address" in one]
    assert rig.enforcement.tally(SALES) == (5, 3)
    rig.crash()
    assert rig.in_force() == left
    rig.get_address("192.0.2.9/24")
    assert rig.in_force() == before
    assert rig.enforcement.troubles(rig.now()) == []
    rig.unblock("192.0.2.7", department="sales")
    rig.unblock("192.0.2.7", "192.0.2.8", "198.51.100.0/24", "blocked.com")
    assert rig.in_force() == rig.in_force("sales") == set()


def test_a_new_gateway_a_new_name_and_a_new_card_are_open_too(rig: Rig) -> None:
    rig.block("192.0.2.7", "02:00:00:00:00:09", "new.example.org")
    assert rig.denies("new.example.org")
    rig.gateway, rig.own_names = "192.0.2.7", ["new.example.org"]
    rig.links["eth1"] = replace(rig.links["eth1"], mac="02:00:00:00:00:09")
    rig.pass_(30)
    assert rig.in_force() == set()
    assert not rig.denies("new.example.org")
    rig.unblock("192.0.2.7", "02:00:00:00:00:09", "new.example.org")
    rig.pass_(30)
    assert rig.enforcement.troubles(rig.now()) == []


def test_a_list_of_unused_addresses_is_in_force_without_the_departments_own(rig: Rig) -> None:
    rig.block("10.0.0.0/8", "126.0.0.0/7", "fe80::/9", origin="list:bogons")
    in_force = [ip_network(one) for one in rig.in_force()]

    def is_blocked(address: str) -> bool:
        return any(ip_address(address) in network for network in in_force)

    assert [
        one for one in ("10.0.0.1", "10.0.1.1", "10.0.0.254", "10.9.9.9", "127.0.0.1", "fe80::1") if is_blocked(one)
    ] == []
    assert [one for one in ("10.0.2.1", "10.255.0.1", "126.0.0.1", "fec0::1") if not is_blocked(one)] == []
    rig.block("10.0.0.7")
    assert "10.0.0.7" in rig.in_force()
    rig.unblock("10.0.0.0/8")
    assert not [one for one in rig.in_force() if one.startswith("10.") and one != "10.0.0.7"]


@pytest.mark.parametrize("target", ["10.0.1.0/24", "fe80::/10"])
def test_a_department_is_not_blocked_as_a_whole_by_hand(rig: Rig, target: str) -> None:
    with pytest.raises(Refused, match="is protected: it contains all"):
        rig.block(target)


@pytest.mark.parametrize(
    "halves", [("0.0.0.0/1", "128.0.0.0/1"), ("2000::/4", "3000::/4"), ("10.0.0.0/25", "10.0.0.128/25")]
)
def test_halves_that_are_everything_together_are_refused_wherever_they_come_from(
    rig: Rig, halves: tuple[str, str]
) -> None:
    first, second = halves
    with pytest.raises(Refused, match="is protected"):
        rig.block(first, second, origin="list:bad")
    assert rig.in_force() == set()
    rig.block(first, origin="list:bad")
    with pytest.raises(Refused, match="is protected"):
        rig.block(second, origin="list:worse")
    with pytest.raises(Refused, match="is protected"):
        rig.block(second, department="sales", origin="list:worse")


def test_halves_on_the_disk_from_an_earlier_version_are_not_in_force_and_are_told(rig: Rig) -> None:
    blocks = [
        Block(target, "old", "me", "list:bad", NOON, number=number)
        for number, target in enumerate(("2000::/4", "3000::/4", "0.0.0.0/1", "128.0.0.0/1", "203.0.113.9"), 1)
    ]
    rig.store.save_blocks(blocks, [])
    rig.crash()
    assert rig.in_force() == {"203.0.113.9"}
    assert len([one for one in rig.enforcement.troubles(rig.now()) if TOGETHER in one]) == 4
    rig.unblock("2000::/4", "0.0.0.0/1")
    rig.pass_(30)
    assert "3000::/4" in rig.in_force()


@pytest.mark.parametrize("pause_number", [0, 10, 12], ids=["while it is judged", "while it is collected", "afterwards"])
@pytest.mark.parametrize("is_lifted", [False, True])
def test_what_others_order_for_a_target_between_the_slices_of_an_order_stays(
    rig: Rig, pause_number: int, is_lifted: bool
) -> None:
    many = [f"203.0.{number >> 8}.{number & 255}" for number in range(2 * COLLECTED_AT_ONCE)]
    pauses = count()

    def pause() -> None:
        if next(pauses) == pause_number:
            rig.block(many[0], seconds=SECONDS)

    if is_lifted:
        rig.block(*many)
        rig.enforcement.unblock(many, None, "me", rig.now(), pause=pause)
    else:
        asked = [BlockRequest(one, "because", 0, None, "me", "manual", "10.0.0.99") for one in many]
        rig.enforcement.block(asked, rig.now(), pause)
    [kept] = rig.enforcement.find(many[0], None)
    assert kept.expires_at is not None
    rig.start()
    assert rig.enforcement.find(many[0], None) == [kept]
    assert len(rig.enforcement.blocks(rig.now())) == (1 if is_lifted else len(many))
