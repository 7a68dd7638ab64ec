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
