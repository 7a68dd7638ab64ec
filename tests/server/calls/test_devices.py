"""What clients are told of devices, and who may name one."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from appliance.core.traffic.devices.device_register import INTRODUCTION_S, LEARNING_S
from appliance.server.access import Role
from tests.core import frames
from tests.server.conftest import Connect, Running

HERE, THERE = "dept123", "dept456"
PRINTER, PHONE = "3c:52:82:1f:aa:07", "da:a1:19:00:00:01"


@pytest.fixture
def server(start: Callable[..., Running]) -> Running:
    return start(position="gateway")  # of a first look, the only device is the computer itself


def arrive(server: Running, *arriving: bytes, interface: str = HERE) -> None:
    server.order({"frames": [one.hex() for one in arriving], "interface": interface})


def come(server: Running, mac: str, name: str, address: str, interface: str = HERE) -> None:
    arrive(server, frames.arp(mac, address), interface=interface)
    arrive(server, frames.dhcp(mac, (12, name.encode())), interface=interface)


def test_devices_are_listed_with_their_names_addresses_and_vendors(server: Running, connect: Connect) -> None:
    come(server, PRINTER, "<b>NPI</b>", "10.20.0.7")
    come(server, PHONE, "", "10.20.0.8")
    arrive(server, frames.neighbour_advertisement("fe80::7", PRINTER))
    client = connect(role=Role.VIEWER)
    listed = client.call("device:list", {"departmentId": HERE, "sort": "name"})
    assert (listed["total"], listed["next"], listed["learning"]) == (2, None, [HERE])
    named, nameless = listed["devices"]
    assert (named["mac"], named["name"], named["nameFrom"]) == (PRINTER, "<b>NPI</b>", "dhcp")
    assert named["addresses"] == ["10.20.0.7", "fe80::7"]
    assert (nameless["name"], nameless["nameFrom"], nameless["isRandomised"], nameless["isNew"]) == (
        None,
        None,
        True,
        False,
    )
    assert [one["mac"] for one in client.call("device:list", {"contains": "npi"})["devices"]] == [PRINTER]
    assert [one["mac"] for one in client.call("device:list", {"contains": "10.20.0.8"})["devices"]] == [PHONE]
    page = client.call("device:list", {"limit": 1, "sort": "name", "page": 2})
    assert ([one["mac"] for one in page["devices"]], page["total"], page["next"]) == ([PHONE], 2, None)
    found = client.call("device:get", {"departmentId": HERE, "host": "fe80::7"})
    assert found["device"] == named
    assert "sites" not in found  # visitors are not recorded
    refused = client.call("device:get", {"departmentId": HERE, "host": "10.20.0.99"})
    assert (refused["code"], "device:list" in refused["error"]) == ("E_BAD_REQUEST", True)


def test_only_those_who_were_seen_lately_are_listed_where_that_is_asked_for(server: Running, connect: Connect) -> None:
    come(server, PRINTER, "printer", "10.20.0.7")
    server.order({"advance": 600})
    come(server, PHONE, "phone", "10.20.0.8")
    client = connect(role=Role.VIEWER)
    assert [one["mac"] for one in client.call("device:list", {"seen": 300})["devices"]] == [PHONE]
    assert [one["mac"] for one in client.call("device:list")["devices"]] == [PHONE, PRINTER]


def test_a_new_device_is_told_to_those_who_may_see_its_department(server: Running, connect: Connect) -> None:
    come(server, PRINTER, "printer", "10.20.0.7")
    server.order({"advance": LEARNING_S})
    server.wall += timedelta(seconds=LEARNING_S)
    here, there = connect(role=Role.VIEWER, departments=[HERE]), connect(role=Role.VIEWER, departments=[THERE])
    come(server, PHONE, "phone", "10.20.0.8")
    server.order({"advance": INTRODUCTION_S})
    arrive(server)
    told = here.wait_for("device:new")
    assert (told["departmentId"], told["device"]["mac"], told["device"]["name"]) == (HERE, PHONE, "phone")
    assert told["alertId"] > 0
    assert [one["mac"] for one in here.call("device:list", {"isNew": True})["devices"]] == [PHONE]
    assert there.call("device:list")["devices"] == []
    assert there.call("device:list", {"departmentId": HERE})["code"] == "E_FORBIDDEN"
    assert there.call("device:get", {"departmentId": HERE, "host": PHONE})["code"] == "E_FORBIDDEN"
    assert there.named("device:new") == []


def test_an_operator_names_a_device_and_a_viewer_does_not(server: Running, connect: Connect) -> None:
    come(server, PRINTER, "NPI1FAA07", "10.20.0.7")
    asked = {"departmentId": HERE, "host": "10.20.0.7", "name": "  Second   floor "}
    assert connect(role=Role.VIEWER).call("device:name", asked)["code"] == "E_FORBIDDEN"
    operator = connect(role=Role.OPERATOR, departments=[HERE])
    device = operator.call("device:name", asked)["device"]
    assert (device["name"], device["nameFrom"], device["called"]) == ("Second floor", "label", "NPI1FAA07")
    preview = operator.call("ip:block", {"address": PRINTER, "departmentId": HERE, "preview": True})["preview"]
    assert preview["device"] == f"Second floor, {PRINTER} (10.20.0.7)"  # the kernel knows no neighbour here
    server.order({"see": {"10.20.0.7": PRINTER}, "connections": []})
    preview = operator.call("ip:block", {"address": "10.20.0.7", "departmentId": HERE, "preview": True})["preview"]
    assert preview["device"] == f"Second floor, {PRINTER} (10.20.0.7)"
    assert operator.call("device:name", {**asked, "name": "a\nb"})["code"] == "E_BAD_REQUEST"
    assert operator.call("device:name", {**asked, "name": None})["device"]["name"] == "NPI1FAA07"
    entries = connect(role=Role.ADMIN).call("audit:get", {"action": "device:name"})["entries"]
    assert [(one["before"], one["after"]) for one in entries] == [("Second floor", None), (None, "Second floor")]
    elsewhere = connect(role=Role.OPERATOR, departments=[THERE])
    assert elsewhere.call("device:name", asked)["code"] == "E_FORBIDDEN"
