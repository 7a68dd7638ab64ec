"""The table of pages: which page answers a plain HTTP request, by its path."""

from functools import cache

from appliance.server.http.request_filter import Environ
from appliance.server.http.site import JSON, Answer, Page
from appliance.server.pages import contract, index, metrics
from appliance.server.pages.block_exports import BlockExports
from appliance.server.pages.dashboard import VIEWS, dashboard_pages
from appliance.server.pages.login import LoginPages
from appliance.server.pages.sources import PageSources


def page_table(sources: PageSources) -> dict[str, Page]:
    """Every page, by its path. A new page is a file of its own and a row here."""
    services, simulated = sources.services, sources.fanout.simulated

    def health(_: Environ) -> Answer:
        return index.health(sources.troubles(), len(sources.sessions), services.work(), simulated)

    def welcome(environ: Environ) -> Answer:
        return index.welcome(environ, simulated)

    def login(environ: Environ) -> Answer:
        return logins.log_in(environ) if environ["REQUEST_METHOD"] == "POST" else views["/login"](environ)

    logins = LoginPages(services)
    scraped = cache(lambda: metrics.Metrics(sources))  # the first scrape loads it
    views: dict[str, Page] = dashboard_pages(services.page_folder) or dict.fromkeys(VIEWS, welcome)
    return {
        **views,
        "/healthz": health,
        "/asyncapi.json": lambda _: Answer(JSON, contract.text()),
        "/login": login,
        "/pair": logins.pair,
        "/metrics": lambda environ: scraped().page(environ),
        **BlockExports(services, sources.admission).pages(),
    }
