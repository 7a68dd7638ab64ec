"""What dashboards are told of visited websites."""

from appliance.server.access import Role
from tests.core import frames
from tests.server.conftest import Connect, Running

HOST, ASKING = "10.20.0.7", "dept123"


def arrive(server: Running, *arriving: bytes) -> None:
    server.order({"frames": [one.hex() for one in arriving], "interface": ASKING})


def test_sites_are_listed_with_visits_devices_and_bytes_and_no_visitor(server: Running, connect: Connect) -> None:
    end = frames.tcp(HOST, 40000, "203.0.113.80", 80, frames.FIN_ACK, numbers=(2 + 400, 2 + 9000))
    background = frames.visited(HOST, "ocsp.example.com", "203.0.113.81", port=81)
    over = frames.rst(HOST, "203.0.113.81", 81)
    arrive(server, *frames.visited(HOST, "www.xn--bcher-kva.de"), end, *background, over)
    listed = connect(role=Role.VIEWER).call("site:list", {"departmentId": ASKING})
    assert listed == {
        "success": True,
        "departmentId": ASKING,
        "record": "site",
        "sites": [{"domain": "bücher.de", "visits": 1, "error": 0, "devices": 1, "bytes": 9400}],
        "background": [{"domain": "ocsp.example.com", "visits": 1, "error": 0, "devices": 1}],
        "named": {
            "connections": 2,
            "unnamed": 0,
            "hidden": 0,
            "encryptedDns": 0,
            "bytes": 9400,
            "unnamedBytes": 0,
            "unread": 0,
        },
    }


def test_as_many_sites_are_listed_as_were_asked_for(server: Running, connect: Connect) -> None:
    for number in (1, 2, 3):
        visit = frames.visited(HOST, f"site{number}.com", f"203.0.113.{number}")
        arrive(server, *visit, frames.rst(HOST, f"203.0.113.{number}", 80))
    client = connect(role=Role.VIEWER)
    assert [one["domain"] for one in client.call("site:list", {"departmentId": ASKING, "limit": 2})["sites"]] == [
        "site1.com",
        "site2.com",
    ]
    refused = client.call("site:list", {"departmentId": ASKING, "limit": 1000})
    assert (refused["code"], "limit" in refused["error"]) == ("E_BAD_REQUEST", True)


def test_the_sites_of_a_department_are_for_those_who_may_see_it(server: Running, connect: Connect) -> None:
    client = connect(role=Role.VIEWER, departments=["dept456"])
    assert client.call("site:list", {"departmentId": ASKING})["code"] == "E_FORBIDDEN"
