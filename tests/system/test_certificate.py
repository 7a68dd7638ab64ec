import stat
import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from appliance.system import certificate
from appliance.system.certificate import CertificateUnavailable
from appliance.system.storage.files import write_private

WALL = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES = ["pi", "pi.local", "localhost", "192.168.1.2", "2001:db8::2"]


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    assert certificate.ensure(path, NAMES, WALL, write_private, even_if_old=True)
    return path


def test_it_names_the_computer_as_people_reach_it(pem: Path) -> None:
    made = x509.load_pem_x509_certificate(pem.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == NAMES[:3]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address(one) for one in NAMES[3:]]


def test_the_key_is_on_p_256_and_readable_for_its_owner_only(pem: Path) -> None:
    key = load_pem_private_key(pem.read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600
    assert [one.name for one in pem.parent.iterdir()] == [pem.name]


def test_browsers_and_openssl_take_it_for_a_server(pem: Path) -> None:
    program = ["openssl", "verify", "-CAfile", str(pem), "-purpose", "sslserver", "-attime"]
    done = subprocess.run([*program, str(int(WALL.timestamp())), str(pem)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = x509.load_pem_x509_certificate(pem.read_bytes())
    assert made.not_valid_after_utc - made.not_valid_before_utc <= timedelta(days=398)


def test_it_stays_until_it_is_about_to_end(pem: Path) -> None:
    first = pem.read_bytes()
    assert not certificate.ensure(pem, NAMES, WALL + timedelta(days=365), write_private, even_if_old=False)
    assert pem.read_bytes() == first
    assert certificate.ensure(pem, NAMES, WALL + timedelta(days=370), write_private, even_if_old=False)
    assert pem.read_bytes() != first


def test_one_from_a_clock_that_was_ahead_is_replaced(pem: Path) -> None:
    assert certificate.ensure(pem, NAMES, WALL - timedelta(days=2), write_private, even_if_old=False)


@pytest.mark.parametrize(
    ("names", "is_replaced"),
    [
        (NAMES, False),
        (NAMES[:-2], False),  # an address that is away for a moment
        ([*NAMES[:-1], "2001:db8::ffff"], True),  # another network
        ([*NAMES, "2001:db8::ffff"], False),  # one of those for privacy, which change every day
        ([*NAMES[:3], "192.168.1.3", "2001:db8::2"], True),
        ([*NAMES, "10.0.0.1"], True),
        (["lobby", "lobby.local", *NAMES[2:]], True),
    ],
)
def test_it_is_replaced_when_the_computer_is_reached_by_another_name_or_address(
    pem: Path, names: list[str], is_replaced: bool
) -> None:
    assert certificate.ensure(pem, names, WALL, write_private, even_if_old=False) is is_replaced
    assert certificate.names_fit(certificate.read(pem).names, names)


def test_what_a_certificate_says_is_read(pem: Path) -> None:
    known = certificate.read(pem)
    assert (known.names, known.ends - known.begins) == (tuple(NAMES), certificate.LASTS)
    with pytest.raises(CertificateUnavailable, match="cannot be read"):
        certificate.read(pem.with_name("none.pem"))


@pytest.mark.parametrize(
    ("days", "told"), [(-2, "is valid from"), (0, ""), (300, ""), (380, "ends on 2027-12-24"), (400, "ended on")]
)
def test_a_certificate_whose_time_is_wrong_is_told(pem: Path, days: int, told: str) -> None:
    faults = certificate.time_faults(pem, certificate.read(pem), WALL + timedelta(days=days))
    assert [told in one for one in faults] == ([True] if told else [])


def test_a_torn_file_is_replaced(pem: Path) -> None:
    pem.write_bytes(pem.read_bytes()[:300])
    assert certificate.ensure(pem, NAMES, WALL, write_private, even_if_old=False)
    assert x509.load_pem_x509_certificate(pem.read_bytes())


def test_a_folder_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CertificateUnavailable, match="cannot be made") as error:
        certificate.ensure(tmp_path / "no" / "server.pem", NAMES, WALL, write_private, even_if_old=True)
    assert "\n" not in str(error.value)


def test_a_name_that_no_certificate_takes_is_told(tmp_path: Path) -> None:
    with pytest.raises(CertificateUnavailable, match="cannot be made"):
        certificate.ensure(tmp_path / "server.pem", ["größe"], WALL, write_private, even_if_old=True)
