"""The table of pages: which page answers a plain HTTP request, by its path."""

from appliance.server.http.request_filter import Environ
from appliance.server.http.site import JSON, Answer, Page
from appliance.server.pages import contract, index
from appliance.server.pages.block_exports import BlockExports
from appliance.server.pages.login import LoginPages
from appliance.server.pages.metrics import Metrics
from appliance.server.pages.sources import PageSources


def page_table(sources: PageSources) -> dict[str, Page]:
    """Every page, by its path. A new page is a file of its own and a row here."""
    services, simulated = sources.services, sources.fanout.simulated

    def health(_: Environ) -> Answer:
        return index.health(sources.troubles(), len(sources.sessions), simulated)

    logins = LoginPages(services)
    return {
        "/": lambda environ: index.welcome(environ, simulated),
        "/healthz": health,
        "/asyncapi.json": lambda _: Answer(JSON, contract.text()),
        "/login": logins.log_in,
        "/pair": logins.pair,
        "/metrics": Metrics(sources).page,
        **BlockExports(services, sources.admission).pages(),
    }
