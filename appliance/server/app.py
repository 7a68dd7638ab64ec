"""The server: answers clients' calls and requests for pages, and ends sessions in time."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import eventlet

from appliance.config import LimitsSection, ServerSection
from appliance.core.access.forwarded import is_trusted
from appliance.core.access.login_backoff import BackoffRules, LoginBackoff
from appliance.core.access.rate_limit import Rate, RateLimit
from appliance.core.moment import Moment
from appliance.core.operations.report import ReportSpan
from appliance.core.refusal import Code, Refused
from appliance.server.access.admission import TokenAdmission
from appliance.server.acknowledgement import acknowledged, error_event
from appliance.server.calls.call_table import CALLS, carry_out
from appliance.server.calls.context import Context, TimeSlice
from appliance.server.calls.metering.reports import ReportSource, report_of
from appliance.server.delivery.fanout import Fanout
from appliance.server.delivery.packets import LONGEST_MESSAGE_BYTES
from appliance.server.delivery.repetition import Repetitions, split_key
from appliance.server.engine_sessions import EngineSessions
from appliance.server.http.forwarding import BehindProxies
from appliance.server.http.listener import Listener
from appliance.server.http.origins import AllowedOrigins
from appliance.server.http.request_filter import RequestFilter
from appliance.server.http.site import HttpSite, Page
from appliance.server.http.tls import Tls
from appliance.server.pages.page_table import page_table
from appliance.server.pages.sources import PageSources
from appliance.server.services import Services
from appliance.server.sessions import ClientSessions

# An address may be that of many dashboards behind one NAT: this many times what one client may call.
CALLS_OF_ADDRESS, CALLS_OF_ADDRESS_AT_ONCE = 5, 2.5
DEFAULT_SERVER = ServerSection()
MOST_CALLERS = 10_000  # clients or addresses at once, 100 bytes each


class Server:
    """Answers clients, and disconnects them in time."""

    def __init__(
        self,
        *,
        fanout: Fanout,
        services: Services,
        limits: LimitsSection,
        tls: Tls | None,
        section: ServerSection = DEFAULT_SERVER,
    ) -> None:
        """`tls`: `None` where HTTP is spoken."""
        self._fanout = fanout
        self._services = services
        calls_per_s, at_once = limits.calls_per_second, limits.calls_at_once
        of_address = Rate(calls_per_s * CALLS_OF_ADDRESS, round(at_once * CALLS_OF_ADDRESS_AT_ONCE))
        self._calls_of_client = RateLimit(Rate(calls_per_s, at_once), MOST_CALLERS)
        self._calls_of_address = RateLimit(of_address, MOST_CALLERS)
        backoff = LoginBackoff(BackoffRules())
        admission = TokenAdmission(services.authenticator, backoff)
        self._repetitions = Repetitions()
        self._engine = EngineSessions(fanout.sio, limits, services.clock)
        self._sessions = ClientSessions(fanout, services, admission, self._engine)
        fanout.sio.on("*", self._call)
        pages: dict[str, Page] = {}
        self._listener = _listener(self._engine, pages, limits, tls, section)
        pages |= page_table(PageSources(services, fanout, admission, backoff, self._sessions, self._listener))

    def serve(self, listener: Any) -> None:
        """Answer on this listening socket until it is closed; for a greenlet of its own."""
        self._listener.serve(listener)

    def expire_sessions(self, now: Moment) -> None:
        """Disconnect clients whose token has expired or was revoked, and drop sessions that have not logged in."""
        self._services.authenticator.step(now)
        self._sessions.end_invalid(now)
        self._engine.drop_overdue(now)

    def report(self, department: str, span: ReportSpan, now: Moment) -> Mapping[str, Any]:
        """The answer of `report:get`, for the appliance itself; others have their turn meanwhile."""
        source = ReportSource(self._services, self._fanout, now, TimeSlice())
        return report_of(source, department, span).payload()

    def close(self) -> None:
        """Disconnect every client."""
        self._engine.close()

    def _call(self, event: str, sid: str, number: int | None, *arguments: object) -> dict[str, Any] | None:
        """`number`: of the client's packet; `None`: it wants no acknowledgement."""
        eventlet.sleep(0)  # a client that calls without pause must not starve the others
        session = self._sessions.get(sid)
        if session is None:
            return None  # it left meanwhile
        context = Context(self._services, session, self._services.clock())
        answer = acknowledged(lambda: self._carry_out(event, number, arguments, context))
        if not answer["success"]:
            self._fanout.send(error_event(answer["code"], answer["error"], context.now), sid)
        elif CALLS[event].revokes:
            # In a greenlet of its own: the acknowledgement leaves first, also where the caller revoked their own token.
            eventlet.spawn(self._sessions.end_invalid, context.now)
        return answer

    def _carry_out(
        self, event: str, number: int | None, arguments: Sequence[object], context: Context
    ) -> dict[str, Any]:
        session, now = context.caller, context.now
        wait_s = self._calls_of_client.spend(session.sid, now.monotonic_s)
        wait_s = wait_s or self._calls_of_address.spend(session.address, now.monotonic_s)
        if wait_s:
            raise Refused(Code.RATE_LIMITED, f"too many calls; wait {max(0.1, wait_s):.1f} s before the next")
        self._services.authenticator.require_valid(session.grant, now)
        arguments, key = split_key(arguments)
        work = partial(carry_out, event, arguments, context)
        if event not in CALLS or not CALLS[event].once:
            self._repetitions.forget_latest(session.sid)
            return work()
        sender = session.grant.subject, session.sid, number
        return self._repetitions.once((event, arguments, key), sender, session.receipt, now.monotonic_s, work)


def _listener(
    engine: EngineSessions, pages: dict[str, Page], limits: LimitsSection, tls: Tls | None, section: ServerSection
) -> Listener:
    # A dropped session may last for a while longer: an address may open as many as it may have in the time for a login.
    most = limits.connections_per_address
    request_filter = RequestFilter(LONGEST_MESSAGE_BYTES, Rate(most / limits.login_deadline, most))
    origins = AllowedOrigins(section.origins)
    proxies = tuple(one.network for one in section.trusted_proxies)
    site = HttpSite(engine.serve, request_filter, pages, origins=origins, hsts_max_age=section.hsts_max_age)
    return Listener(
        BehindProxies(site, proxies),
        connections=limits.connections,
        connections_per_network=limits.connections_per_address,
        request_s=limits.request_deadline,
        is_client=engine.is_logged_in,
        is_proxy=lambda address: is_trusted(address, proxies),
        secure=tls.secure if tls else None,
    )
