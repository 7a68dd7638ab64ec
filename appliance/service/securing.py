"""Securing: the certificate with which the appliance shows itself, the operator's or one of its own."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from appliance.config import Server
from appliance.core.machine import Link
from appliance.server.http.tls import Tls, TlsUnavailable
from appliance.service.certificates import OWN_FILE, certificate_file
from appliance.service.machines import CannotStart
from appliance.system import certificate
from appliance.system.certificate import CertificateUnavailable


class Security:
    """The TLS of the server, and its own certificate while it uses one."""

    def __init__(self, server: Server, state_dir: Path, links: Mapping[str, Link], wall: datetime) -> None:
        """Make a certificate if one of its own is needed and not there. Raises `CannotStart`."""
        self._names = names_of(links.values())
        self._own = None if server.certificate else state_dir / OWN_FILE
        try:
            if self._own:
                certificate.ensure(self._own, self._names, wall, even_if_old=True)
            path = certificate_file(server, state_dir)
            self.tls = Tls(path, Path(server.key) if server.key else path)
        except (CertificateUnavailable, TlsUnavailable) as error:
            raise CannotStart(str(error)) from None

    def renew(self, wall: datetime) -> bool:
        """Make another certificate of its own if the one that is there is about to end, or not valid yet; whether so.

        `wall`: of a clock that is trusted. Takes a second or two; it is run beside the event loop.
        """
        return self._own is not None and certificate.ensure(self._own, self._names, wall, even_if_old=False)


def names_of(links: Iterable[Link]) -> list[str]:
    """How this computer is reached: by its names, and by the addresses that it has now."""
    addresses = {str(one.ip) for link in links for one in link.addresses if not one.is_link_local}
    return [*certificate.host_names(), *sorted(addresses)]
