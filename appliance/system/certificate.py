"""Makes the appliance's own certificate, and reads any, by `cryptography` in a child process: it takes 12 MB to load.

Key and certificate are one file, so that no power cut leaves a pair that does not fit. It names the computer as people
reach it: by its name, its `.local` name and its current addresses. No authority signs it: a person compares its
fingerprint once.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

LASTS = timedelta(days=397)  # the most that browsers accept (CA/Browser Forum, 398 days), less a day
RENEWED_BEFORE = timedelta(days=30)  # time for a person to compare the new fingerprint while the old one still serves
EARLIER = timedelta(days=1)  # for clients whose clock is behind
NO_FILE = Path("/dev/null/none")  # exists nowhere
STANDARD_INPUT = Path("/dev/stdin")
LONGEST_S = 60.0  # for the child; a Pi Zero needs some seconds


class CertificateUnavailable(Exception):
    """The certificate cannot be made; the text says why."""


class Contents(Struct, frozen=True):
    """What a certificate says: its time, and the names and addresses for which it stands.

    `is_self_signed`: no authority stands behind it.
    """

    begins: datetime
    ends: datetime
    names: tuple[str, ...]
    is_self_signed: bool


def host_names() -> list[str]:
    """The names of this computer on the LAN."""
    name = socket.gethostname().split(".")[0].lower()
    if not name or not name.isascii():
        name = "appliance"
    return [name, f"{name}.local", "localhost"]


def ensure(
    path: Path, names: Iterable[str], wall: datetime, write: Callable[[Path, bytes], None], *, even_if_old: bool
) -> bool:
    """Make the file if it is missing or, given `even_if_old=False`, no longer good; returns whether it was made.

    It is good until it is about to expire, or this computer is no longer reached by what it names (`names_fit`).

    `write`: writes a file that only its owner may read, whole or not at all. Raises `CertificateUnavailable`. Takes a
    second or two; the caller runs it beside the event loop.
    """
    if path.exists() and even_if_old:
        return False
    content = _child(path, "made", wall.isoformat(), *names)
    if content:
        try:
            write(path, content)
        except OSError as error:
            raise CertificateUnavailable(f"{path}: cannot be made: {error}; is its folder writable?") from None
    return bool(content)


def made(names: Iterable[str], wall: datetime) -> bytes:
    """A new certificate with its key, in no file. Raises `CertificateUnavailable`; takes a second or two."""
    return _child(NO_FILE, "made", wall.isoformat(), *names)


def read(path: Path) -> Contents:
    """What the first certificate of this file says. Raises `CertificateUnavailable`. Takes a second or two."""
    return _as_contents(_child(path, "read"))


def read_text(pem: str) -> Contents:
    """What the first certificate in this text says; as `read`."""
    return _as_contents(_child(STANDARD_INPUT, "read", given=pem.encode()))


def _as_contents(told: bytes) -> Contents:
    begins, ends, names, is_self_signed = json.loads(told)
    return Contents(datetime.fromisoformat(begins), datetime.fromisoformat(ends), tuple(names), is_self_signed)


def time_faults(path: Path, contents: Contents, wall: datetime) -> list[str]:
    """A sentence where a certificate is not valid at this time, or soon is no more."""
    if wall < contents.begins:
        return [f"{path}: is valid from {contents.begins:%Y-%m-%d} on only; is the clock right?"]
    if wall >= contents.ends:
        return [f"{path}: ended on {contents.ends:%Y-%m-%d}, and clients refuse it; put a new one in its place"]
    if wall >= contents.ends - RENEWED_BEFORE:
        return [f"{path}: ends on {contents.ends:%Y-%m-%d}; put a new one in its place before"]
    return []


def names_fit(named: Iterable[str], names: Iterable[str]) -> bool:
    """Whether a certificate that names `named` is good for a computer that is reached by `names`.

    It must have each name and each IPv4 address. Of IPv6 one address is enough: a computer has several, and those for
    privacy change every day.
    """
    has, wanted = set(named), set(names)
    of_ipv6 = {one for one in wanted if ":" in one}
    return wanted - of_ipv6 <= has and (not of_ipv6 or bool(of_ipv6 & has))


def _child(path: Path, verb: str, *words: str, given: bytes = b"") -> bytes:
    """The output of the child process for this certificate. `given`: its input. Raises `CertificateUnavailable`."""
    program = [sys.executable, "-P", "-m", __name__, verb, str(path), *words]
    try:
        done = subprocess.run(program, input=given, capture_output=True, timeout=LONGEST_S, check=False)  # noqa: S603  our own file
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CertificateUnavailable(f"{path}: cannot be {verb}: {error}") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise CertificateUnavailable(f"{path}: cannot be {verb}: {''.join(last)}")
    return done.stdout


def _renewed(path: Path, wall: datetime, names: list[str]) -> bytes:
    """The child's work: a new certificate with its key; empty where the file is still good."""
    return b"" if path.exists() and _still_good(path.read_bytes(), wall, names) else _made(names, wall)


def _still_good(content: bytes, wall: datetime, names: list[str]) -> bool:
    try:
        known = _contents(content)
    except ValueError:  # cut short, or no certificate: a new one takes its place
        return False
    return known.begins <= wall < known.ends - RENEWED_BEFORE and names_fit(known.names, names)


def _contents(content: bytes) -> Contents:
    """What the first certificate in this text says; without alternative names it has none. Raises `ValueError`."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(content)
    names: list[str] = []
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += found.get_values_for_type(x509.DNSName)
        names += map(str, found.get_values_for_type(x509.IPAddress))
    except x509.ExtensionNotFound:  # browsers take none of the older ways to name a server
        pass
    return Contents(
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        tuple(names),
        is_self_signed=certificate.issuer == certificate.subject,
    )


def _made(names: list[str], wall: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wall - EARLIER)
        .not_valid_after(wall + LASTS - EARLIER)
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + certificate.public_bytes(Encoding.PEM)


def _general(name: str) -> "GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


if __name__ == "__main__":
    _verb, _path, *_words = sys.argv[1:]
    if _verb == "read":
        _known = _contents(Path(_path).read_bytes())
        _time = [_known.begins.isoformat(), _known.ends.isoformat()]
        json.dump([*_time, _known.names, _known.is_self_signed], sys.stdout)
    else:
        _wall = datetime.fromisoformat(_words[0]).astimezone(UTC)
        sys.stdout.buffer.write(_renewed(Path(_path), _wall, _words[1:]))
