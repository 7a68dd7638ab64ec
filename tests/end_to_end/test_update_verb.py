"""`appliance update` in a shell: with a simulated service, and on a computer without the image."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.simulator.device import FIRST_ROOT, NEXT_ROOT
from appliance.system.update.image_root import NO_IMAGE
from tests.end_to_end.installed import Installed
from tests.end_to_end.simulated import Simulated
from tests.end_to_end.test_shell import one_line, run
from tests.lab.network import Network


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    one = Simulated(tmp_path_factory.mktemp("updates"))
    one.start()
    yield one
    one.close()


def test_a_refused_bundle_is_one_line_with_the_reason(service: Simulated) -> None:
    done = run("update", "http://192.0.2.1/refused.raucb", "--json", *service.place)
    *notes, failure = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert all(set(one) == {"note"} for one in notes)
    assert failure["error"].startswith("nothing has changed: it was altered after it was signed")


def test_a_file_is_installed_and_started_and_every_step_is_told(service: Simulated, tmp_path: Path) -> None:
    shown = run("update", *service.place).stdout.splitlines()
    assert shown[:2] == ["SIMULATED: nothing here is real", f"version {FIRST_ROOT.version} runs in root A"]
    assert "no update waits for a restart" in one_line(run("update", "--restart", *service.place))
    assert run("update", "nothing.raucb", *service.place).returncode == 2
    bundle = tmp_path / "appliance.raucb"
    bundle.write_bytes(b"a bundle")
    done = run("update", str(bundle), "--restart", *service.place)
    assert done.returncode == 0, done.stderr
    assert "update: fetching" in done.stderr
    assert f"update to {NEXT_ROOT.version}: installing" in done.stderr
    assert done.stdout.splitlines()[1:] == [
        f"version {FIRST_ROOT.version} runs in root A",
        f"update to {NEXT_ROOT.version}: installed",
        "the computer starts again now",
    ]
    after = json.loads(run("update", "--json", *service.place).stdout)
    assert (after["root"], after["update"]["state"] in {"trial", "confirmed"}) == ("B", True)
    assert bundle.exists()
    assert not (service.folder / "state/updates/bundle.raucb").exists()


def test_a_computer_without_the_image_names_its_installer(gateway: Network, tmp_path: Path) -> None:
    bundle = tmp_path / "appliance.raucb"
    bundle.write_bytes(b"a bundle")
    inside = ["ip", "netns", "exec", gateway.appliance.namespace]
    with Installed(gateway, tmp_path) as appliance:
        place = ["--config", str(tmp_path / "appliance.toml"), "--state-dir", str(appliance.state)]
        assert run("update", *place, before=inside).stdout.strip() == NO_IMAGE
        assert NO_IMAGE in one_line(run("update", str(bundle), *place, before=inside))
        assert not (appliance.state / "updates").exists()
