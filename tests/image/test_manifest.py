"""What the image is made of: the manifest, the lock, and the papers."""

import json
import re
import subprocess
from email.message import Message
from pathlib import Path

import pytest

from image.debian import paragraphs, preferences
from image.manifest import LOCK, PROJECT, Package, differences, lock_text, read_lock, read_manifest, run
from image.papers import bill, page_components, python_component

ONE = Package("installed", "bash", "5.2-1", "arm64", "a" * 64)


def test_every_package_of_the_manifest_is_pinned_by_version_and_hash() -> None:
    manifest, lock = read_manifest(), read_lock()
    installed = {one.name for one in lock if one.how == "installed"}
    unpacked = {re.sub(r"^linux-image-\d.*", "linux-image-arm64", one.name) for one in lock if one.how == "unpacked"}
    assert set(manifest.installed) <= installed
    assert set(manifest.unpacked) == unpacked
    assert [one for one in lock if not re.fullmatch("[0-9a-f]{64}", one.sha256)] == []
    assert {one.architecture for one in lock} == {"all", manifest.architecture}


def test_the_lock_is_as_the_build_writes_it() -> None:
    assert LOCK.read_text() == lock_text(read_lock())


def test_every_python_package_of_the_lock_has_a_hash() -> None:
    lines = (PROJECT / "deploy/requirements.lock").read_text().replace("\\\n", " ").splitlines()
    requirements = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert requirements
    assert [line for line in requirements if "--hash=sha256:" not in line] == []


def test_apt_prefers_the_versions_of_the_lock_to_later_ones(tmp_path: Path) -> None:
    """By this computer's own apt: above 1000 it takes a version also where a later one is there."""
    version = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "dpkg"], capture_output=True, text=True, check=True
    )
    pinned = tmp_path / "preferences"
    pinned.write_text(preferences([ONE, Package("installed", "dpkg", version.stdout, "amd64", "a" * 64)]))
    command = ["apt-cache", "-o", f"Dir::Etc::preferences={pinned}", "policy", "dpkg"]
    policy = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"*** {version.stdout} 1001" in policy.stdout


def test_the_reason_of_a_program_that_failed_is_shown_also_before_much_that_follows() -> None:
    script = "echo 'E: the reason'; head -c 9000 /dev/zero | tr '\\0' x; echo; exit 25"
    with pytest.raises(SystemExit) as ended:
        run(["sh", "-c", f"{{ {script}; }} >&2"])
    assert "sh failed (25)" in str(ended.value)
    assert "E: the reason" in str(ended.value)
    assert len(str(ended.value)) < 1000


@pytest.mark.parametrize("field", ["version", "sha256", "architecture"])
def test_another_package_than_the_pinned_one_is_named(field: str) -> None:
    other = ONE._replace(**{field: "other"})
    assert differences([ONE], [ONE]) == []
    assert [sentence.split()[:2] for sentence in differences([ONE], [other])] == [["the", "lock"], ["the", "root"]]


def test_fields_of_debian_are_read() -> None:
    text = "Package: a\nVersion: 1\nDescription: of a\n more of it\nConffiles:\n /etc/a 123\n\nPackage: b\n"
    assert list(paragraphs(text)) == [
        {"Package": "a", "Version": "1", "Description": "of a", "Conffiles": ""},
        {"Package": "b"},
    ]


def test_the_bill_of_materials_is_the_same_for_the_same_content(tmp_path: Path) -> None:
    folder = tmp_path / "msgspec-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: msgspec\nVersion: 1\nLicense-Expression: BSD-3-Clause\n\nText\n")
    page_lock = PROJECT / "appliance/dashboard/package-lock.json"
    first = bill([ONE], tmp_path, page_lock, timestamp="2026-01-01T00:00:00+00:00")
    assert first == bill([ONE], tmp_path, page_lock, timestamp="2026-01-01T00:00:00+00:00")
    document = json.loads(first)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    kinds = {one["purl"].partition("/")[0] for one in document["components"]}
    assert kinds == {"pkg:deb", "pkg:pypi", "pkg:npm"}
    references = [one["bom-ref"] for one in document["components"]]
    assert len(references) == len(set(references))


def test_tools_that_only_build_the_page_are_not_in_the_bill() -> None:
    lock = {
        "packages": {
            "": {},
            "node_modules/preact": {"version": "10"},
            "node_modules/vite": {"version": "8", "dev": True},
        }
    }
    assert [one["name"] for one in page_components(lock)] == ["preact"]


def test_a_licence_that_is_a_whole_text_is_not_taken_for_a_name() -> None:
    metadata = Message()
    metadata["Name"], metadata["Version"], metadata["License"] = "x", "1", "Permission is hereby granted, " * 9
    assert "licenses" not in python_component(metadata)
