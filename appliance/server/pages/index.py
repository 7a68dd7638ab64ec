"""The page for a person where the dashboard was not built, and the health page for a monitoring system."""

from collections.abc import Mapping, Sequence
from typing import Any

from appliance.core.text import escape
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import HTML, JSON, Answer
from appliance.server.strict_json import dumps

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<h1>{title}</h1>
{notice}<p><strong>The dashboard was not built, so there is only this text.</strong> <code>deploy/run</code> and
<code>deploy/install</code> build it, where they find Node or a package index. A Raspberry Pi does not build it:
<code>deploy/package</code> makes a package on another computer, which <code>deploy/install PACKAGE</code> installs.</p>
<p>This appliance meters a department's network traffic, holds it to its quota, blocks addresses, and shows
all of it live to its clients.</p>
<h2>Connect</h2>
<p>With <code>socket.io-client</code> 4 and a token, which <code>appliance token --role viewer --departments '*'</code>
prints on the appliance:</p>
<pre>
const socket = io({url}, {{ auth: {{ token: 'your_jwt_token' }} }});
socket.on('connect', () =&gt; console.log('Connected with ID:', socket.id));
socket.on('connect_error', (error) =&gt; console.error(error.message, error.data?.code));
socket.on('usage:update', (data) =&gt; console.log(data));
</pre>
<p>In a terminal: <code>appliance watch</code>. All events and calls: <a href="/asyncapi.json">/asyncapi.json</a>.
Health: <a href="/healthz">/healthz</a>. For Prometheus, with a token: <code>/metrics</code>.</p>
</html>
"""
_SIMULATED = "<p><strong>SIMULATED: nothing that this appliance reports is real.</strong></p>\n"


def welcome(environ: Environ, simulated: bool) -> Answer:
    """The page that says why there is no dashboard, what the appliance is and how to connect."""
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    body = _PAGE.format(
        title=escape("Appliance" + (" (SIMULATED)" if simulated else "")),
        notice=_SIMULATED if simulated else "",
        url=escape(dumps(f"{environ['wsgi.url_scheme']}://{host}")),
    )
    return Answer(HTML, body)


def health(troubles: Sequence[str], clients: int, work: Mapping[str, str], simulated: bool) -> Answer:
    """That the service answers: 200, with a sentence for each task that it cannot do now.

    A trouble is not an error: a list that cannot be fetched must not take every dashboard off a load balancer. A
    service that serves nobody does not answer at all, and its watchdog starts it again. It needs no token, so it says
    nothing about departments and people. `work`: by task, `ok` or what is not done; an update is confirmed by it.
    """
    health: dict[str, Any] = {"status": "troubled" if troubles else "ok", "clients": clients}
    if troubles:
        health["reasons"] = troubles
    if work:
        health["work"] = work
    if simulated:
        health["simulated"] = True
    return Answer(JSON, dumps(health))
