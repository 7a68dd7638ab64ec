"""Fetches block lists: from the folder of lists, and from HTTP servers.

A file is read only in the folder of lists, where no link leads out: the person who names it may administer the
appliance, but not the computer. A server is judged as `web_source` says.

Size and time are bounded, and every fault is a value: the caller keeps its former list. A list that has not changed is
not sent again (RFC 9110, section 13: `If-None-Match`, `If-Modified-Since`); for a file, its time and size show that.

It waits for the network: its caller runs it beside the event loop.
"""

import http.client
import os
import stat
from pathlib import Path, PurePosixPath
from time import monotonic

from appliance.core.blocking.lists.list_contents import LARGEST_BYTES, Fetched
from appliance.system.web.web_source import (
    Judge,
    NotFetched,
    WebSource,
    as_not_fetched,
    condition,
    refusal_of,
    validator,
)

WHOLE_S = 60.0  # the largest list over a link of 2 Mbit/s; a server that trickles must not hold the thread for ever


class ListSource:
    """Fetches lists. `folder`: where files of lists are; `judge`: tests have their own."""

    def __init__(self, folder: Path, judge: Judge = refusal_of) -> None:
        self._folder = folder
        self._web = WebSource("list", judge)

    def fetch(self, source: str, version: str, whole_s: float = WHOLE_S) -> Fetched:
        """Fetch the list at this path or URL, unless it still has this version (empty: none is known).

        `whole_s`: seconds in which a server must have sent all of it.
        """
        try:
            with as_not_fetched():
                if source.startswith("/"):
                    return self._read(source, version)
                return self._download(source, version, monotonic() + whole_s)
        except NotFetched as trouble:
            return Fetched(trouble=str(trouble))

    def _read(self, path: str, version: str) -> Fetched:
        # A pipe would block the thread, and a device never end: only regular files are read.
        descriptor = self._opened(path)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return Fetched(trouble="not a file")
            current = f"{found.st_ino}/{found.st_mtime_ns}/{found.st_size}"
            if current == version:
                return Fetched(version=version)
            content = file.read(LARGEST_BYTES + 1)
        return _whole(content, current)

    def _opened(self, path: str) -> int:
        """The file's descriptor. It is opened folder by folder, and a link is not followed."""
        try:
            parts = PurePosixPath(path).relative_to(self._folder).parts
        except ValueError:
            parts = ()
        if not parts or ".." in parts:
            raise NotFetched(f"a list's file must be in {self._folder}; move it there")
        here = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts[:-1]:
                there = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
                os.close(here)
                here = there
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            return os.open(parts[-1], flags, dir_fd=here)
        finally:
            os.close(here)

    def _download(self, url: str, version: str, deadline_s: float) -> Fetched:
        headers = {"Accept-Encoding": "identity, gzip", **condition(version)}
        with self._web.answer(url, headers, deadline_s) as answer:
            return _answer(answer, version, deadline_s)


def _answer(answer: http.client.HTTPResponse, version: str, deadline_s: float) -> Fetched:
    if answer.status == http.client.NOT_MODIFIED and version:
        return Fetched(version=version)
    if answer.status != http.client.OK:
        return Fetched(trouble=f"the server answers {answer.status}")
    coding = answer.getheader("Content-Encoding", "identity").strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip"}:
        return Fetched(trouble="the server packs the list in a way that was not asked for")
    return _whole(_body(answer, deadline_s), validator(answer))


def _body(answer: http.client.HTTPResponse, deadline_s: float) -> bytes:
    """The body, up to a byte more than a list may have. Raises `IncompleteRead` where it ends early."""
    content = answer.read(LARGEST_BYTES + 1)
    if len(content) <= LARGEST_BYTES and (answer.length or monotonic() >= deadline_s):
        raise http.client.IncompleteRead(content)
    return content


def _whole(content: bytes, version: str) -> Fetched:
    if len(content) > LARGEST_BYTES:
        return Fetched(trouble=f"it is larger than {LARGEST_BYTES >> 20} MiB")
    return Fetched(content, version)
