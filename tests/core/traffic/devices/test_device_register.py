"""The register of devices: who is known by which addresses and names, what is new, and what goes first."""

from collections.abc import Iterable

from appliance.core.traffic.devices.clue import Clue, NameSource
from appliance.core.traffic.devices.device_register import (
    ADDRESS_KEPT_S,
    ESTABLISHED_S,
    INTRODUCTION_S,
    KEPT_S,
    LEARNING_S,
    MOST_ADDRESSES,
    MOST_TAKEN,
    MOST_TOLD,
    NEW_S,
    SAVED_S,
    TAKEN_WITHIN_S,
    TOLD_WITHIN_S,
    DeviceRegister,
)

PRINTER, PHONE = "3c:52:82:1f:aa:07", "da:a1:19:00:00:01"
BEGAN_S = 1_800_000_000.0
LATER_S = BEGAN_S + LEARNING_S


def number(count: int) -> str:
    return f"02:00:00:00:{count >> 8:02x}:{count & 255:02x}"


def learned(*macs: str, room: int = 100) -> DeviceRegister:
    """A register that has learned these."""
    register = DeviceRegister(room=room)
    for mac in macs or (PRINTER,):
        register.meet(Clue(mac), BEGAN_S, BEGAN_S)
    return register


def told(register: DeviceRegister, now_s: float) -> list[str]:
    return [one.mac for one in register.newcomers(now_s)]


def saved(register: DeviceRegister, *, everything: bool = False) -> list[str]:
    changes = register.changes(everything=everything)
    if changes is None:
        return []
    register.mark_saved(changes)
    return [one.mac for one in changes.saved]


def meet_all(register: DeviceRegister, clues: Iterable[Clue], at_s: float) -> None:
    for one in clues:
        register.meet(one, at_s, at_s)


def test_addresses_and_names_of_a_device_are_joined() -> None:
    register = learned()
    meet_all(
        register,
        [
            Clue(PRINTER, "fe80::7"),
            Clue(PRINTER, "2001:db8::7"),
            Clue(PRINTER, "192.0.2.7"),
            Clue(PRINTER, name="NPI1FAA07", source=NameSource.DHCP),
            Clue(PRINTER, name="lab", source=NameSource.MDNS),
        ],
        BEGAN_S + 1,
    )
    found = register.device("2001:db8::7")
    assert found is not None
    assert (found.mac, found.name, found.first_s) == (PRINTER, "NPI1FAA07", BEGAN_S)
    assert found.current_addresses == ["192.0.2.7", "2001:db8::7", "fe80::7"]
    assert register.label(PRINTER, "Second floor").name == "Second floor"
    assert register.label(PRINTER, "").name == "NPI1FAA07"


def test_an_address_goes_to_the_device_that_had_it_last() -> None:
    register = learned(PRINTER, PHONE)
    register.meet(Clue(PRINTER, "192.0.2.7"), BEGAN_S + 10, BEGAN_S + 10)
    register.meet(Clue(PHONE, "192.0.2.7"), BEGAN_S + 5, BEGAN_S + 11)  # a neighbour table that is older
    assert [one.mac for one in register.devices() if "192.0.2.7" in one.addresses] == [PRINTER]
    register.meet(Clue(PHONE, "192.0.2.7"), BEGAN_S + 20, BEGAN_S + 20)
    assert [one.mac for one in register.devices() if "192.0.2.7" in one.addresses] == [PHONE]


def test_addresses_of_a_device_are_bounded_and_forgotten_after_a_day() -> None:
    register = learned()
    for at in range(MOST_ADDRESSES + 5):
        register.meet(Clue(PRINTER, f"2001:db8::{at}"), BEGAN_S + at, BEGAN_S + at)
    found = register.device(PRINTER)
    assert found is not None
    assert len(found.addresses) == MOST_ADDRESSES
    assert register.device("2001:db8::0") is None
    register.meet(Clue(PRINTER, "192.0.2.7"), BEGAN_S + 100 + ADDRESS_KEPT_S, BEGAN_S + 100 + ADDRESS_KEPT_S)
    found = register.device(PRINTER)
    assert found is not None
    assert [*found.addresses] == ["192.0.2.7"]


def test_nothing_is_new_while_the_register_is_learned() -> None:
    register = learned(PRINTER)
    register.meet(Clue(PHONE), LATER_S - 1, LATER_S - 1)
    assert told(register, LATER_S + 60) == []
    assert not any(register.is_new(one, LATER_S) for one in register.devices())
    assert (register.is_learning(LATER_S - 1), register.is_learning(LATER_S)) == (True, False)


def test_a_new_device_is_told_once_when_it_has_said_its_name() -> None:
    register = learned(PRINTER)
    register.meet(Clue(PHONE), LATER_S, LATER_S)
    assert told(register, LATER_S + INTRODUCTION_S - 1) == []
    assert PHONE not in saved(register)  # after a crash it would be told of
    register.meet(Clue(PHONE, name="phone"), LATER_S + 1, LATER_S + 1)
    assert [(one.mac, one.name) for one in register.newcomers(LATER_S + INTRODUCTION_S)] == [(PHONE, "phone")]
    assert saved(register) == [PHONE]
    register.meet(Clue(PHONE), LATER_S + 7 * 86_400, LATER_S + 7 * 86_400)  # it slept for a week
    assert told(register, LATER_S + 8 * 86_400) == []


def test_a_new_device_is_shown_as_new_for_a_day() -> None:
    register = learned(PRINTER)
    register.meet(Clue(PHONE), LATER_S, LATER_S)
    found = register.device(PHONE)
    assert found is not None
    assert (register.is_new(found, LATER_S + NEW_S - 1), register.is_new(found, LATER_S + NEW_S)) == (True, False)


def test_what_was_saved_is_known_after_a_restart_and_is_not_new() -> None:
    former = learned(PRINTER)
    changes = former.changes()
    assert changes is not None
    register = DeviceRegister(changes.saved, room=100, began_s=changes.began_s)
    register.meet(Clue(PRINTER), LATER_S, LATER_S)
    register.meet(Clue(PHONE), LATER_S, LATER_S)
    assert told(register, LATER_S + INTRODUCTION_S) == [PHONE]


def test_a_flood_of_made_up_addresses_is_told_of_within_bounds_and_takes_no_one_s_place() -> None:
    register = learned(PRINTER, room=50)
    register.meet(Clue(PRINTER), BEGAN_S + ESTABLISHED_S, BEGAN_S + ESTABLISHED_S)
    register.meet(Clue(PHONE), BEGAN_S, BEGAN_S)
    register.label(PHONE, "Dr. Lindqvist")
    for at in range(10_000):
        register.meet(Clue(number(at), f"192.0.2.{at % 250}"), LATER_S + at / 1000, LATER_S + at / 1000)
    kept = {one.mac for one in register.devices()}
    assert len(kept) == 50
    assert kept >= {PRINTER, PHONE}
    assert len(kept & {number(at) for at in range(MOST_TAKEN)}) > 0
    assert len(told(register, LATER_S + 60)) == MOST_TOLD
    assert told(register, LATER_S + 61) == []
    after_s = LATER_S + TOLD_WITHIN_S + TAKEN_WITHIN_S
    register.meet(Clue("02:ff:00:00:00:01"), after_s, after_s)
    assert told(register, after_s + INTRODUCTION_S) == ["02:ff:00:00:00:01"]


def test_a_small_change_of_time_is_not_saved_and_a_name_is() -> None:
    register = learned(PRINTER)
    assert saved(register) == [PRINTER]
    register.meet(Clue(PRINTER), BEGAN_S + SAVED_S - 1, BEGAN_S + SAVED_S - 1)
    assert saved(register) == []
    assert saved(register, everything=True) == [PRINTER]
    register.meet(Clue(PRINTER, name="lab"), BEGAN_S + SAVED_S, BEGAN_S + SAVED_S)
    assert saved(register) == [PRINTER]


def test_who_was_not_seen_for_a_season_is_forgotten_unless_it_has_a_label() -> None:
    register = learned(PRINTER, PHONE)
    register.label(PHONE, "Dr. Lindqvist")
    saved(register)
    register.age(BEGAN_S + KEPT_S)
    changes = register.changes()
    assert changes is not None
    assert (changes.saved, changes.deleted) == ([], [PRINTER])
    assert [one.mac for one in register.devices()] == [PHONE]
