"""What a person does who installs on a computer and looks after it: the commands, and what they see."""

import json
from typing import Any

from tests.deploy.guest import STICK, Guest

UNITS = ("appliance.service", "appliance-restore.service")
INSTALLER, UNINSTALLER = (f"/opt/appliance/current/source/deploy/{name}" for name in ("install", "uninstall"))
PYTHON = "/opt/appliance/current/environment/bin/python"
# What an installation changes beside Debian's packages (two folders in /usr/local are theirs), and the kernel's state.
TRACES = """
find /opt /usr/local /etc/systemd /etc/appliance /etc/avahi /var/lib/appliance /run/appliance /run/systemd/system*/* |
    grep -v -e '^/usr/local/lib/python3' -e '^/usr/local/share/ca-certificates$'
systemctl list-units --all --plain --no-legend 'appliance*'
nft list ruleset
tc qdisc show
"""
BEFORE = "/root/before"
ASK = f"""{PYTHON} - <<'PYTHON'
from urllib.request import Request, urlopen
print(urlopen(Request("http://127.0.0.1:5001%s", headers=%s), timeout=60).read().decode())
PYTHON"""
# Everything in the state but the reserved room, each database by its rows.
STATE = f"""cd /var/lib/appliance && {PYTHON} - <<'PYTHON'
import hashlib, json, pathlib, sqlite3
digests = {{}}
for path in sorted(pathlib.Path().rglob("*")):
    if path.is_file() and path.suffix != ".ballast" and not path.parts[0].startswith("before-restore-"):
        content = path.read_bytes()
        if path.suffix == ".sqlite3":
            content = "\\n".join(sqlite3.connect(path).iterdump()).encode()
        digests[str(path)] = hashlib.sha256(content).hexdigest()
print(json.dumps(digests))
PYTHON"""


def look_around(guest: Guest) -> None:
    """Keep what the computer looks like without the appliance, for `traces`."""
    guest.run(f"{{ {TRACES} }} 2>&1 | sort >{BEFORE}")


def traces(guest: Guest) -> str:
    """What is different now: lines that came or went."""
    return guest.run(f"{{ {TRACES} }} 2>&1 | sort | diff {BEFORE} - || true").stdout


def install(guest: Guest, version: str) -> str:
    """Unpack a package and have it install itself; returns what it says."""
    package = f"tar --extract --file {STICK}/{version}.tar.gz --directory /root"
    return told(guest, f"rm -rf /root/appliance-* && {package} && /root/appliance-*/deploy/install")


def update(guest: Guest, version: str, settings: str = "", *, code: int = 0) -> str:
    """Have the installed programs install a package; returns what they say."""
    return told(guest, f"{settings} {INSTALLER} {STICK}/{version}.tar.gz", code=code)


def told(guest: Guest, script: str, *, code: int = 0) -> str:
    """What a script says."""
    done = guest.run(script, code=code)
    return done.stdout + done.stderr


def page(guest: Guest, path: str, **headers: str) -> str:
    """The running service's answer."""
    return guest.run(ASK % (path, headers)).stdout


def version(guest: Guest) -> str:
    """The version that runs, by its own word; both services are well."""
    assert guest.run(f"systemctl is-active {' '.join(UNITS)}").stdout.split() == ["active"] * 2
    found: str = json.loads(page(guest, "/asyncapi.json"))["info"]["version"]
    return found


def blocks(guest: Guest) -> list[dict[str, Any]]:
    """What the service says is blocked."""
    found: list[dict[str, Any]] = json.loads(guest.run("appliance status --json").stdout)["blocks"]
    return found
