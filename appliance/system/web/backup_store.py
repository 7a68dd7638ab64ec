"""A folder on a web server that keeps backups, by `http.client`: PUT, HEAD and DELETE, as WebDAV has them.

The server is judged as `web_source` judges servers. What it gets is encrypted; a password goes over TLS alone, which
the configuration sees to.
"""

from base64 import b64encode
from pathlib import Path
from time import monotonic
from typing import IO
from urllib.parse import quote

from appliance.system.web.web_source import Judge, NotFetched, WebSource, as_not_fetched, refusal_of

WHOLE_S = 3000.0  # of an upload: less than the whole backup may take
SHORT_S = 30.0  # of a question
WRITTEN_S = 300.0  # in which a server has written what it got, and answers
MISSING = frozenset({404, 410})


class BackupStore:
    """Backups below a URL, which ends with a slash. `judge`: tests have their own."""

    def __init__(self, url: str, *, user: str | None, password: str, ca: str | None, judge: Judge = refusal_of) -> None:
        self._url = url
        self._web = WebSource("backup", judge, does="sent to", ca=ca)
        login = b64encode(f"{user}:{password}".encode()).decode() if user else ""
        self._headers = {"Authorization": f"Basic {login}"} if login else {}

    def has(self, name: str) -> bool:
        """Whether the server has this backup. Raises `NotFetched` where it does not say."""
        status, reason = self._asked("HEAD", name)
        if 200 <= status < 300 or status in MISSING:
            return status not in MISSING
        raise NotFetched(f"the server answers {status} {reason}")

    def put(self, name: str, content: Path) -> None:
        """Have the server keep this file. Raises `NotFetched` where it does not take it, `OSError`."""
        size = content.stat().st_size
        with content.open("rb") as file:
            status, reason = self._asked("PUT", name, file, {"Content-Length": str(size)}, WHOLE_S)
        if not 200 <= status < 300:
            raise NotFetched(f"the server does not take it: {status} {reason}")

    def remove(self, name: str) -> None:
        """Have the server forget a backup; one that does not delete keeps it. Raises `NotFetched` as `has`."""
        self._asked("DELETE", name)

    def _asked(
        self,
        method: str,
        name: str,
        body: IO[bytes] | None = None,
        more: dict[str, str] | None = None,
        within_s: float = SHORT_S,
    ) -> tuple[int, str]:
        url, headers = f"{self._url}{quote(name)}", {**self._headers, **(more or {})}
        with (
            as_not_fetched(),
            self._web.posted(url, headers, body, monotonic() + within_s, method=method, wait_s=WRITTEN_S) as answer,
        ):
            return answer.status, answer.reason[:100]
