"""A computer in each position: the first configuration that is written for it, and where dashboards are sent."""

import json
from pathlib import Path
from typing import Any

from tests.end_to_end.installed import COMMAND, config_text
from tests.lab.network import Network


def init(lab: Network, folder: Path) -> dict[str, Any]:
    """What `appliance init` has chosen, once its file is found good."""
    place = ["--config", str(folder / "appliance.toml"), "--json"]
    made = json.loads(lab.appliance.run([COMMAND, "init", *place]).stdout)
    checked = json.loads(lab.appliance.run([COMMAND, "check-config", *place]).stdout)
    assert (made["position"], made["interfaces"]) == (checked["position"], [*checked["departments"].values()])
    return {"position": made["position"], "interfaces": made["interfaces"], "why": made["why"]}


def test_a_router_is_a_gateway_for_what_is_not_its_uplink(gateway: Network, tmp_path: Path) -> None:
    found = init(gateway, tmp_path)
    assert (found["position"], found["interfaces"]) == ("gateway", ["eth1"]), found


def test_a_router_that_does_not_forward_watches_itself(gateway: Network, tmp_path: Path) -> None:
    gateway.appliance.sysctl({"net/ipv4/ip_forward": 0})
    found = init(gateway, tmp_path)
    assert (found["position"], found["interfaces"]) == ("host", ["eth0"]), found


def test_a_bridge_faces_the_department_with_the_port_that_the_gateway_is_not_behind(
    bridge: Network, tmp_path: Path
) -> None:
    assert bridge.appliance.ping(bridge.uplink.ipv4)  # so that its MAC address is known at a port
    found = init(bridge, tmp_path)
    assert (found["position"], found["interfaces"]) == ("bridge", ["eth1"]), found
    assert "the gateway is behind eth0" in found["why"]


def test_the_banner_names_addresses_that_others_reach(gateway: Network, tmp_path: Path) -> None:
    config = tmp_path / "appliance.toml"
    config.write_text(config_text("gateway").replace('host = "127.0.0.1"', 'host = "0.0.0.0"'))
    place = ["--config", str(config), "--state-dir", str(tmp_path / "state")]
    program = gateway.appliance.spawn([COMMAND, "run", *place], ready="Page: http")
    told = program.stop()
    pages = [line.removeprefix("Page: ") for line in told.splitlines() if line.startswith("Page: ")]
    assert pages == ["http://10.30.0.1:5001/", "http://10.20.0.1:5001/"]  # that of the default route first
