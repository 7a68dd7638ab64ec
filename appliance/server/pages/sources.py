"""What pages are made of."""

from collections.abc import Sequence

from msgspec import Struct

from appliance.core.access.login_backoff import LoginBackoff
from appliance.server.access.admission import TokenAdmission
from appliance.server.delivery.fanout import Fanout
from appliance.server.http.listener import Listener
from appliance.server.services import Services
from appliance.server.sessions import ClientSessions


class PageSources(Struct, frozen=True):
    """The services behind the pages, and the parts of the server that count."""

    services: Services
    fanout: Fanout
    admission: TokenAdmission
    login_backoff: LoginBackoff
    sessions: ClientSessions
    listener: Listener

    def troubles(self) -> Sequence[str]:
        """A sentence for each task that the appliance cannot do now."""
        return self.services.status.troubles(self.services.clock())
