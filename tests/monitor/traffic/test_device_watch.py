"""The register of devices from frames and neighbour tables: whose a device is, what is told, and what is kept."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.machine import Counters, Link, Position, Sighting
from appliance.core.metering.department import Department
from appliance.core.metering.quota import Limits
from appliance.core.refusal import Code, Refused
from appliance.core.traffic.devices.clue import Clue
from appliance.core.traffic.devices.device_register import INTRODUCTION_S, LEARNING_S, RegisterChanges
from appliance.core.traffic.devices.server_sign import ServerKey, ServerKind
from appliance.core.traffic.packet import Packet, decode
from appliance.events import DeviceNew, Event
from appliance.monitor.traffic.device_watch import MOST_HEARD, PATIENCE_S, DeviceWatch
from appliance.monitor.traffic.server_watch import ServerWatch
from appliance.system.storage.store import SqliteStore
from tests.core import frames
from tests.monitor.traffic.test_insight import at

SALES = Department("sales", "Sales", "eth1", Limits({}))
PRINTER, PHONE, OWN = "3c:52:82:1f:aa:07", "da:a1:19:00:00:01", "02:00:00:00:00:01"
LATER_S = LEARNING_S + 1


def packet_of(frame: bytes) -> Packet:
    found = decode(frame)
    assert found is not None
    return found


class Around:
    """Links and neighbour tables as a test sets them, and the vendors."""

    def __init__(self) -> None:
        self.links: Mapping[str, Link] = {"eth1": Link("eth1", 2, OWN, "boot", True, Counters(0, 0))}
        self.sightings: Sequence[Sighting] = ()

    @property
    def devices(self) -> "Around":
        return self

    def vendor(self, mac: str) -> str | None:
        return "Example Printers" if mac.startswith("3c:52:82") else None


class FullStore(SqliteStore):
    """A store whose medium is full."""

    def save_devices(self, changes: Mapping[str, RegisterChanges]) -> None:
        raise Refused(Code.MAINTENANCE, "the disk takes no changes")

    def save_known_server(self, department: str, server: ServerKey) -> None:
        raise Refused(Code.MAINTENANCE, "the disk takes no changes")


class Rig:
    """A watch with what it publishes."""

    def __init__(
        self,
        path: Path,
        *departments: Department,
        position: Position = Position.GATEWAY,
        store: type[SqliteStore] = SqliteStore,
        allowed: Mapping[ServerKind, frozenset[str]] | None = None,
    ) -> None:
        self._allowed = allowed or {}
        self.around, self.published = Around(), list[Event]()
        self.store = store(path / "state.sqlite3")
        self._departments, self._position = departments or (SALES,), position
        self.restart()

    def restart(self) -> None:
        """A watch that knows what was saved."""
        self.watch = DeviceWatch(
            self._departments,
            position=self._position,
            metering=self.around,
            vendors=self.around,
            store=self.store,
            publish=self.published.append,
            servers=ServerWatch([one.id for one in self._departments], self._allowed, self.store),
        )

    def hear(self, second: float, mac: str, address: str = "", interface: str = "eth1") -> None:
        self.watch.hear(interface, Clue(mac, address), at(second))
        self.watch.step(at(second))

    def read(self, second: float, *found: bytes) -> list[tuple[str, str]]:
        """The strangers in these frames, by department and address."""
        strangers: list[tuple[str, str]] = []
        for frame in found:
            packet = decode(frame)
            if packet is None:
                signs = self.watch.read_frame("eth1", frame, at(second))
            else:
                signs = self.watch.read_packet("eth1", packet, at(second))
            strangers += [(department, sign.address) for department, sign in signs]
        self.watch.step(at(second))
        return strangers

    def see(self, second: float, *sightings: Sighting) -> None:
        self.around.sightings = list(sightings)
        self.watch.step(at(second))

    def macs(self, department: str = "sales") -> list[str]:
        return [one.mac for one in self.watch.devices(department)]

    def told(self) -> list[str]:
        return [one.device.mac for one in self.published if isinstance(one, DeviceNew)]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_frames_and_neighbour_tables_tell_of_one_device(rig: Rig) -> None:
    rig.read(
        1,
        frames.dhcp(PRINTER, (53, b"\x01"), (12, b"NPI1FAA07")),
        frames.announcement("192.168.1.7", "lab-printer.local", "A", "192.168.1.7", mac=PRINTER),
        frames.neighbour_advertisement("2001:db8::7", PRINTER),
    )
    rig.see(2, Sighting("eth1", PRINTER, 1.0, ip_address("fe80::7")))
    [device] = rig.watch.devices("sales")
    facts = rig.watch.facts("sales", device, at(3))
    assert (facts.mac, facts.known_as, facts.name_from, facts.vendor, facts.is_randomised) == (
        PRINTER,
        "NPI1FAA07",
        "dhcp",
        "Example Printers",
        False,
    )
    assert facts.addresses == ["192.168.1.7", "2001:db8::7", "fe80::7"]
    assert rig.watch.name_of(["sales"], "2001:db8::7") == "NPI1FAA07"


def test_a_new_device_is_saved_and_told_of_once(rig: Rig) -> None:
    rig.hear(0, PRINTER, "192.168.1.7")
    rig.read(LATER_S, frames.dhcp(PHONE, (53, b"\x01"), (12, b"phone")))
    rig.hear(LATER_S + 1, PHONE, "192.168.1.8")
    assert rig.told() == []
    rig.watch.step(at(LATER_S + 1 + INTRODUCTION_S))
    [event] = rig.published
    assert isinstance(event, DeviceNew)
    assert (event.device.mac, event.device.known_as, event.device.addresses) == (PHONE, "phone", ["192.168.1.8"])
    assert (event.device.is_randomised, event.device.is_new) == (True, True)
    rig.restart()
    assert {*rig.macs()} == {PRINTER, PHONE}
    rig.hear(LATER_S + 100_000, PHONE)
    rig.watch.step(at(LATER_S + 100_010))
    assert rig.told() == [PHONE]


def test_what_the_appliance_says_of_itself_is_no_device_of_a_department(rig: Rig) -> None:
    rig.hear(0, OWN, "192.168.1.1")
    assert rig.macs() == []


def test_a_first_look_at_a_computer_shows_that_computer_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, position=Position.HOST)
    rig.hear(0, OWN, "192.168.1.1")
    rig.hear(0, PRINTER, "192.168.1.7")
    assert rig.macs() == [OWN]


def test_at_a_bridge_s_port_only_what_it_has_learned_there_is_the_department_s(rig: Rig) -> None:
    rig.around.links = {
        "eth1": replace(rig.around.links["eth1"], master="br0"),
        "br0": Link("br0", 3, OWN, "boot", True, Counters(0, 0)),
    }
    rig.read(0, frames.dhcp(PHONE, (12, b"phone")))
    rig.hear(0, PRINTER, "192.168.1.1")  # a router's question, on its way into the department
    assert rig.macs() == []
    rig.see(
        5,
        Sighting("eth1", PHONE, 1.0),
        Sighting("eth0", PRINTER, 1.0),
        Sighting("br0", PHONE, 1.0, ip_address("192.168.1.8")),
        Sighting("br0", PRINTER, 1.0, ip_address("192.168.1.1")),
    )
    [device] = rig.watch.devices("sales")
    assert (device.mac, device.name, [*device.addresses]) == (PHONE, "phone", ["192.168.1.8"])
    rig.watch.step(at(PATIENCE_S + 1))
    rig.see(PATIENCE_S + 2, Sighting("eth1", PRINTER, 1.0))  # learned there only now
    assert [*rig.watch.find("sales", PRINTER).addresses] == []


def test_at_a_shared_interface_a_device_is_of_the_department_that_owns_its_address(tmp_path: Path) -> None:
    up = replace(SALES, id="up", subnets=(ip_network("10.0.0.0/25"),), shares_interface=True)
    down = replace(SALES, id="down", subnets=(ip_network("10.0.0.128/25"),), shares_interface=True)
    rig = Rig(tmp_path, up, down)
    rig.read(0, frames.dhcp(PHONE, (12, b"phone")))
    assert (rig.macs("up"), rig.macs("down")) == ([], [])
    rig.hear(1, PHONE, "10.0.0.200")
    rig.hear(2, PHONE, "fe80::8")
    [device] = rig.watch.devices("down")
    assert (device.name, {*device.addresses}, rig.macs("up")) == ("phone", {"10.0.0.200", "fe80::8"}, [])


def test_while_the_clock_may_be_wrong_it_only_listens(rig: Rig) -> None:
    wrong = replace(at(0), is_trusted=False)
    rig.watch.hear("eth1", Clue(PRINTER, "192.168.1.7"), wrong)
    rig.watch.step(wrong)
    assert rig.macs() == []
    rig.watch.step(at(10))
    assert rig.macs() == [PRINTER]


def test_a_flood_between_two_steps_is_bounded(rig: Rig) -> None:
    for number in range(MOST_HEARD + 100):
        rig.watch.hear("eth1", Clue(PRINTER, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"), at(0))
    rig.watch.step(at(0))
    assert rig.macs() == [PRINTER]


def test_people_give_a_device_a_name_and_take_it_back(rig: Rig) -> None:
    rig.read(0, frames.dhcp(PRINTER, (12, b"NPI1FAA07")))
    named = rig.watch.label("sales", PRINTER, "Second floor")
    facts = rig.watch.facts("sales", named, at(1))
    assert (facts.known_as, facts.name_from, facts.called) == ("Second floor", "label", "NPI1FAA07")
    rig.restart()
    assert rig.watch.find("sales", PRINTER).name == "Second floor"
    rig.watch.label("sales", PRINTER, "")
    rig.restart()
    assert rig.watch.find("sales", PRINTER).name == "NPI1FAA07"
    with pytest.raises(Refused, match=r"no device of sales is known by 192\.168\.1\.99"):
        rig.watch.label("sales", "192.168.1.99", "x")


def test_on_a_full_disk_devices_are_told_of_and_labels_are_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, store=FullStore)
    rig.hear(0, PRINTER)
    rig.hear(LATER_S, PHONE)
    rig.watch.step(at(LATER_S + INTRODUCTION_S))
    assert rig.told() == [PHONE]
    with pytest.raises(Refused):
        rig.watch.label("sales", PRINTER, "Second floor")
    assert rig.watch.find("sales", PRINTER).name == ""


def test_when_devices_were_seen_last_is_saved_at_the_end(rig: Rig) -> None:
    rig.hear(0, PRINTER)
    rig.hear(70, PRINTER)
    rig.watch.save(at(71), everything=True)
    rig.restart()
    assert rig.watch.find("sales", PRINTER).seen_s == at(70).wall.timestamp()


OWN_SERVER, ROGUE = "192.168.1.2", "192.168.1.66"
OWN_SERVER_MAC, ROGUE_MAC = "00:00:5e:00:00:02", "02:00:00:00:00:66"
OFFER = frames.offer(PHONE, OWN_SERVER, "192.168.1.80", mac=OWN_SERVER_MAC)
ROGUE_OFFER = frames.offer(PHONE, ROGUE, "10.66.0.80", mac=ROGUE_MAC)
ADVERTISEMENT = frames.router_advertisement("fe80::2", OWN_SERVER_MAC, prefix="2001:db8:1::")
ROGUE_ADVERTISEMENT = frames.router_advertisement("fe80::66", ROGUE_MAC)


def test_servers_that_were_there_on_the_first_day_are_the_department_s_and_others_are_strangers(rig: Rig) -> None:
    assert rig.read(0, OFFER, ADVERTISEMENT) == []
    rig.restart()
    assert rig.read(LATER_S, OFFER, ADVERTISEMENT) == []
    assert rig.read(LATER_S, ROGUE_OFFER, ROGUE_ADVERTISEMENT) == [("sales", ROGUE), ("sales", "fe80::66")]
    taken_over = frames.offer(PHONE, OWN_SERVER, "192.168.1.80", mac=ROGUE_MAC)  # in the name of the true one
    assert rig.read(LATER_S, taken_over) == [("sales", OWN_SERVER)]


def choice(server: str) -> bytes:
    """A client takes the offer of this server, which passed from device to device."""
    return frames.dhcp(PHONE, (53, b"\x03"), (54, ip_address(server).packed), (50, b"\x0a\x42\x00\x50"))


def test_a_stranger_whose_offers_are_not_seen_is_known_by_who_takes_them(rig: Rig) -> None:
    rig.hear(0, ROGUE_MAC, ROGUE)
    assert rig.read(0, choice(OWN_SERVER)) == []
    assert rig.read(LATER_S, choice(OWN_SERVER), OFFER, choice(ROGUE)) == [("sales", ROGUE)]
    [(_, sign)] = rig.watch.read_packet("eth1", packet_of(choice(ROGUE)), at(LATER_S))
    assert sign.mac == ROGUE_MAC  # as the register has it


def test_only_the_servers_that_are_named_are_the_department_s_from_the_beginning(tmp_path: Path) -> None:
    allowed = {ServerKind.DHCP: frozenset({OWN_SERVER}), ServerKind.ROUTER: frozenset({OWN_SERVER_MAC})}
    rig = Rig(tmp_path, allowed=allowed)
    found = rig.read(0, OFFER, choice(OWN_SERVER), ADVERTISEMENT, ROGUE_OFFER, ROGUE_ADVERTISEMENT)
    assert found == [("sales", ROGUE), ("sales", "fe80::66")]


def test_the_appliance_is_no_stranger_to_its_own_departments(rig: Rig) -> None:
    rig.read(0, OFFER)
    rig.read(0, ADVERTISEMENT)
    own = frames.offer(PHONE, "192.168.1.1", "192.168.1.81", mac=OWN)
    assert rig.read(LATER_S, own, frames.router_advertisement("fe80::1", OWN)) == []


def test_at_a_shared_interface_a_stranger_is_told_of_where_it_answered(tmp_path: Path) -> None:
    up = replace(SALES, id="up", subnets=(ip_network("10.0.0.0/25"),), shares_interface=True)
    down = replace(SALES, id="down", subnets=(ip_network("10.0.0.128/25"),), shares_interface=True)
    rig = Rig(tmp_path, up, down, allowed={ServerKind.DHCP: frozenset({OWN_SERVER})})
    inside = frames.offer(PHONE, ROGUE, "10.0.0.200", mac=ROGUE_MAC)
    assert rig.read(0, inside) == [("down", ROGUE)]
    assert rig.read(1, ROGUE_OFFER) == [("up", ROGUE), ("down", ROGUE)]


def test_on_a_full_disk_servers_are_learned_until_the_next_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path, store=FullStore)
    rig.hear(0, PRINTER)
    assert rig.read(0, OFFER) == []
    assert rig.read(LATER_S, OFFER, ROGUE_OFFER) == [("sales", ROGUE)]


def test_the_name_of_an_address_is_that_of_the_device_that_has_it_and_gives_way_to_its_own(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.hear(1, PRINTER, "192.168.1.7")
    asked = "7.1.168.192.in-addr.arpa"
    look_up = frames.lookup(
        "192.168.1.10", asked, "PTR", f"{asked}. PTR lab-printer.example.org.", resolver="10.0.0.53"
    )
    other = "8.1.168.192.in-addr.arpa"  # nobody's
    rig.read(2, *look_up, *frames.lookup("192.168.1.10", other, "PTR", f"{other}. PTR x.", resolver="10.0.0.53"))
    [found] = rig.watch.devices("sales")
    assert (found.name, rig.watch.facts("sales", found, at(3)).name_from) == ("lab-printer", "dns")
    rig.watch.save(at(4))
    rig.restart()
    assert rig.watch.find("sales", PRINTER).name == "lab-printer"
    rig.read(5, frames.dhcp(PRINTER, (53, b"\x01"), (12, b"printer-of-the-lab")))
    assert rig.watch.find("sales", PRINTER).name == "printer-of-the-lab"
