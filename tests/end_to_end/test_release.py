"""After a release the kernel has no rules of ours, and all of the others'."""

from pathlib import Path

from tests.end_to_end.installed import DEPARTMENT, Installed
from tests.lab.network import Network

OTHERS = "add table inet another"


def own_tables(lab: Network) -> list[str]:
    listed = lab.appliance.run(["nft", "list", "tables"]).stdout.splitlines()
    return [line for line in listed if line.split()[-1].startswith("appliance")]


def own_filters(lab: Network) -> str:
    return lab.appliance.run(["tc", "filter", "show", "dev", lab.department_interface, "ingress"]).stdout


def test_a_stop_keeps_blocks_in_force_and_a_release_opens_everything(gateway: Network, tmp_path: Path) -> None:
    pc, blocked = gateway.hosts[0], gateway.hosts[1]
    gateway.appliance.run(["nft", "-f", "-"], given=OTHERS)
    appliance = Installed(gateway, tmp_path)
    appliance.start()
    appliance.cli("block", blocked.ipv4)
    appliance.cli("block", "blocked.test")
    with appliance.client() as client:
        client.wait_for("department:status", lambda data: data["departmentId"] == DEPARTMENT)
    assert not blocked.ping(gateway.uplink.ipv4, wait_s=0.5)
    assert pc.ping(gateway.uplink.ipv4)
    appliance.stop()
    assert "appliance_dns" in own_filters(gateway)
    assert not blocked.ping(gateway.uplink.ipv4, wait_s=0.5)
    told = appliance.cli("release")
    assert "released: nothing is metered, held or blocked any more" in told
    assert "netdev appliance" in told
    assert own_tables(gateway) == []
    assert own_filters(gateway) == ""
    assert blocked.ping(gateway.uplink.ipv4)
    appliance.start()
    with appliance.client() as client:
        client.wait_for("department:status", lambda data: data["departmentId"] == DEPARTMENT)
    assert not blocked.ping(gateway.uplink.ipv4, wait_s=0.5)
    told = appliance.cli("release")
    assert "the service has stopped" in told
    assert appliance.program is not None
    assert appliance.program.process.wait(timeout=20) == 0
    assert own_tables(gateway) == []
    assert own_filters(gateway) == ""
    assert blocked.ping(gateway.uplink.ipv4)
    assert "another" in gateway.appliance.run(["nft", "list", "tables"]).stdout
