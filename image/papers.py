"""The papers of the image: what it consists of (CycloneDX), and under which licences."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from image.manifest import Package

Component = dict[str, Any]


def debian_component(package: Package) -> Component:
    """Return a Debian package as a component. Its licences are in its copyright file, in licences.tar.zst."""
    return {
        "type": "library",
        "bom-ref": f"deb/{package.name}/{package.architecture}",
        "name": package.name,
        "version": package.version,
        "hashes": [{"alg": "SHA-256", "content": package.sha256}],
        "purl": f"pkg:deb/debian/{package.name}@{package.version}?arch={package.architecture}",
    }


def python_component(metadata: Message) -> Component:
    """Return a Python package as a component, by its METADATA file."""
    name, version = metadata["Name"], metadata["Version"]
    component: Component = {
        "type": "library",
        "bom-ref": f"pypi/{name}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name.lower()}@{version}",
    }
    licence = metadata["License-Expression"] or metadata["License"]
    # Some packages have the licence's whole text in this field.
    if licence and "\n" not in licence and len(licence) < 100:
        component["licenses"] = [{"license": {"name": licence}}]
    return component


def page_components(lock: Mapping[str, Any]) -> list[Component]:
    """Return the JavaScript packages that are in the dashboard: those that npm's lock file does not name as tools."""
    return [
        {
            "type": "library",
            "bom-ref": f"npm/{name}",
            "name": name,
            "version": one["version"],
            "purl": f"pkg:npm/{name}@{one['version']}",
        }
        for path, one in sorted(lock["packages"].items())
        if path and not one.get("dev")
        for name in [path.rpartition("node_modules/")[2]]
    ]


def bill(packages: Iterable[Package], site: Path, page_lock: Path, *, timestamp: str) -> bytes:
    """Return the bill of materials as JSON, CycloneDX 1.5; the same for the same content."""
    metadata = (HeaderParser().parsestr(path.read_text()) for path in sorted(site.glob("*.dist-info/METADATA")))
    components = [
        *(debian_component(one) for one in sorted(packages)),
        *(python_component(one) for one in metadata),
        *page_components(json.loads(page_lock.read_text())),
    ]
    digest = hashlib.sha256(json.dumps(components, sort_keys=True).encode()).digest()
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        "metadata": {"timestamp": timestamp, "component": {"type": "firmware", "name": "appliance"}},
        "components": components,
    }
    return json.dumps(document, indent=1).encode() + b"\n"
