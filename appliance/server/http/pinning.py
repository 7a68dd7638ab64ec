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
    return hashlib.sha256(der_of(certificate)).digest().hex(":").upper()


class PinnedContext(ssl.SSLContext):
    """Connects to the server with exactly this certificate, and to no other."""

    pinned: bytes

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """A protected socket to that server. Raises `ssl.SSLCertVerificationError` for another certificate."""
        protected = super().wrap_socket(*arguments, **options)
        if protected.getpeercert(binary_form=True) != self.pinned:
            protected.close()
            raise ssl.SSLCertVerificationError("another server answers there: its certificate is not the appliance's")
        return protected


def pinned_context(certificate: Path) -> PinnedContext:
    """A client's context for the server with this certificate; raises as `der_of`."""
    context = PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the chain is not verified: the certificate itself is compared
    context.pinned = der_of(certificate)
    return context
