"""Serves the dashboard: a page that its build has put into a folder, with what it loads.

All files are read at the start, half a megabyte of memory: so an update of the folder cannot mix two versions in one
browser, and nothing that a client sends becomes the name of a file.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from appliance.server.http.content_coding import choose_coding
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import HTML, JSON, TEXT, Answer, Page

# The paths of the dashboard's views; it reads them itself. `*` is any one segment.
VIEWS = (
    "/",
    "/departments",
    "/departments/*",
    "/devices",
    "/websites",
    "/incidents",
    "/incidents/*",
    "/blocks",
    "/blocks/new",
    "/quotas",
    "/quotas/*/grant",
    "/quotas/*/limit",
    "/reports",
    "/reports/*/*",
    "/maintenance",
    "/appliance",
    "/people",
    "/audit",
    "/settings",
    "/settings/configuration",
    "/settings/notifications",
    "/settings/browser",
    "/more",
    "/kiosk",
    "/login",
    "/first",
)
BUILT = ".made-from"  # the build writes this file last: a folder without it is not whole
INDEX = "index.html"
ASSETS = "/assets/"  # their names contain a digest of their content
CODINGS = {"br": ".br", "gzip": ".gz"}  # by preference, with the suffix of the file that the build has compressed

# The page loads only its own files and talks only to its own appliance; it submits no form and is in nobody's frame.
POLICY = (
    "Content-Security-Policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
IMMUTABLE = ("Cache-Control", "public, max-age=31536000, immutable")  # a year, as long as a cache may (RFC 8246)
VARY = ("Vary", "Accept-Encoding")
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": HTML,
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": JSON,
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": TEXT,
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class _File(Struct, frozen=True):
    """A file of the page. `compressed`: its content by coding, where the build has made that smaller."""

    kind: str
    content: bytes
    compressed: Mapping[str, bytes]
    headers: tuple[tuple[str, str], ...]

    def answer(self, environ: Environ) -> Answer:
        """The file in the coding that the client likes best."""
        coding = choose_coding(environ.get("HTTP_ACCEPT_ENCODING", ""), [*self.compressed])
        if coding is None:
            return Answer(self.kind, self.content, headers=self.headers)
        return Answer(self.kind, self.compressed[coding], headers=(("Content-Encoding", coding), *self.headers))


def dashboard_pages(folder: Path) -> dict[str, Page]:
    """The pages of the dashboard that was built into this folder, by their paths; empty: it was not built."""
    if not (folder / BUILT).is_file():
        return {}
    files = dict(_read(folder))
    index = files.pop(f"/{INDEX}")
    views: dict[str, Page] = dict.fromkeys(VIEWS, index.answer)
    return views | {path: file.answer for path, file in files.items()}


def _read(folder: Path) -> Iterator[tuple[str, _File]]:
    """The files to serve, each with its path."""
    contents = dict(_contents(str(folder)))
    for path, content in contents.items():
        suffix = os.path.splitext(path)[1]  # noqa: PTH122  `pathlib` takes three times as long for all, at each start
        if path == f"/{BUILT}" or suffix in CODINGS.values():
            continue
        compressed = {coding: contents[path + end] for coding, end in CODINGS.items() if path + end in contents}
        own = (IMMUTABLE,) if path.startswith(ASSETS) else (POLICY,) if suffix == ".html" else ()
        yield path, _File(KINDS.get(suffix, "application/octet-stream"), content, compressed, (VARY, *own))


def _contents(folder: str) -> Iterator[tuple[str, bytes]]:
    for top, _, names in os.walk(folder):
        for name in names:
            with open(f"{top}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
                yield f"{top}/{name}".removeprefix(folder), file.read()
