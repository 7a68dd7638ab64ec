"""Certificate pinning: a client accepts exactly one certificate, compared by its bytes.

The command line runs on the service's machine and can read its certificate, so it accepts that one only. Names and
dates are not checked, because the appliance has any address, and its clock may be wrong.
"""

import hashlib
import ssl
from pathlib import Path
from typing import Any

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def der_of(certificate: Path) -> bytes:
    """The first certificate in this file. Raises `OSError` or `ValueError`."""
    text = certificate.read_text(encoding="ascii", errors="replace")
    begin, end = text.find(_BEGIN), text.find(_END)
    if begin < 0 or end < begin:
        raise ValueError(f"{certificate}: has no certificate in it")
    return ssl.PEM_cert_to_DER_cert(text[begin : end + len(_END)])


def fingerprint(certificate: Path) -> str:
    """The SHA-256 fingerprint of the first certificate in this file, as browsers show it; raises as `der_of`."""
    return fingerprint_of(der_of(certificate))


def fingerprint_of(der: bytes) -> str:
    """The SHA-256 fingerprint of a certificate."""
    return hashlib.sha256(der).digest().hex(":").upper()


class PinnedContext(ssl.SSLContext):
    """Connects to the server with exactly this certificate, and to no other."""

    certificate: Path
    mismatch = ""  # why the latest connection was refused; the libraries between here and a person drop the text

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """A protected socket to that server. Raises `ssl.SSLCertVerificationError` for another certificate.

        The file is read for each connection: the service renews its certificate while clients are connected.
        """
        protected = super().wrap_socket(*arguments, **options)
        if protected.getpeercert(binary_form=True) != der_of(self.certificate):
            protected.close()
            self.mismatch = (
                f"another certificate answers there than that in {self.certificate}: it is another server, or the file "
                "was just replaced; the service takes a new file within a minute, or when it is restarted"
            )
            raise ssl.SSLCertVerificationError(self.mismatch)
        return protected


def pinned_context(certificate: Path) -> PinnedContext:
    """A client's context for the server with this certificate; raises as `der_of`."""
    context = PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the chain is not verified: the certificate itself is compared
    der_of(certificate)
    context.certificate = certificate
    return context
