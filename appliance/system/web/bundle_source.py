"""Fetches a bundle of an update from a web server, into a file, with bounds on its size and time."""

import http.client
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from appliance.system.web.web_source import NotFetched, WebSource, as_not_fetched, condition, validator

LARGEST_BYTES = 704 << 20  # a root has 640 MiB, and is compressed; with what describes it, even one that is not fits
WHOLE_S = 3600.0  # 100 MB over a line of 256 kbit/s
PIECE_BYTES = 1 << 18


class BundleSource:
    """Fetches bundles. `web`: the way to servers."""

    def __init__(self, web: WebSource) -> None:
        self._web = web

    def fetch(
        self,
        url: str,
        file: Path,
        *,
        require_room: Callable[[int], None],
        tell: Callable[[int], None],
        known: str = "",
        whole_s: float = WHOLE_S,
    ) -> str | None:
        """Fetch it, and return by which header the server sends only what is newer; `None`: it has nothing newer.

        `known`: such a header of an earlier time; `tell`: gets the percent, where the server says how much there is;
        `require_room`: raises `ValueError` for a size that does not fit. Raises `NotFetched`.
        """
        with as_not_fetched(), self._web.answer(url, condition(known), monotonic() + whole_s) as answer:
            if answer.status == http.client.NOT_MODIFIED and known:
                return None
            if answer.status != http.client.OK:
                raise NotFetched(f"the server answers {answer.status}")
            if answer.getheader("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
                raise NotFetched("the server packs the bundle in a way that was not asked for")
            self._write(answer, file, require_room, tell)
            return validator(answer)

    def _write(
        self,
        answer: http.client.HTTPResponse,
        file: Path,
        require_room: Callable[[int], None],
        tell: Callable[[int], None],
    ) -> None:
        whole, got = answer.length, 0
        _require_bound(whole or 0, require_room)
        with file.open("wb") as written:
            while piece := answer.read(PIECE_BYTES):
                got += len(piece)
                if whole is None:
                    # What is written already is no longer free.
                    _require_bound(got, lambda _: require_room(0))
                written.write(piece)
                tell(got * 100 // whole) if whole else None
        if whole is not None and got < whole:
            raise http.client.IncompleteRead(b"")


def _require_bound(size_bytes: int, require_room: Callable[[int], None]) -> None:
    if size_bytes > LARGEST_BYTES:
        raise NotFetched(f"it is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        require_room(size_bytes)
    except ValueError as error:
        raise NotFetched(str(error)) from None
