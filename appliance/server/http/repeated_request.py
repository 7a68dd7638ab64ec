"""Recognises the request that repeats the latest one of its connection, so that it is not read and judged again.

A client that polls sends the same request several times a second, and reading and judging it costs more than its
answer. What holds for a request holds for the same bytes on the same connection. Only the time stamp differs, which
Engine.IO's clients add against caches (`t=`), and which nothing here reads. Whatever else differs is another request.
"""

import re
from collections.abc import Callable, Sequence
from email.utils import formatdate
from functools import lru_cache
from time import time
from typing import Any

_STAMP = re.compile(rb"(?<=[?&]t=)[A-Za-z0-9._~-]{0,64}(?=[& ])")


class RepeatedRequest:
    """A request that was answered, and may be sent again. `header_lines`: its headers, and the empty line behind them.

    `environ`: the request, as it was judged; `answer`: makes the body of the next answer, `None` where the request must
    be judged again.
    """

    def __init__(
        self,
        request_line: bytes,
        header_lines: Sequence[bytes],
        environ: dict[str, Any],
        headers: Sequence[tuple[str, str]],
        answer: Callable[[], bytes | None],
    ) -> None:
        """`headers`: of the answer, without its date and length."""
        self._request_line = _STAMP.sub(b"", request_line)
        self.header_lines = tuple(header_lines)
        self.environ = environ
        self.answer = answer
        self._head = "".join(["HTTP/1.1 200 OK\r\n", *(f"{name}: {value}\r\n" for name, value in headers)]).encode()

    def begins_with(self, request_line: bytes) -> bool:
        """Whether this is the request's first line, at another time."""
        return _STAMP.sub(b"", request_line) == self._request_line

    def whole_answer(self, body: bytes) -> bytes:
        """Head and body of an answer."""
        return b"%sDate: %s\r\nContent-Length: %d\r\n\r\n%s" % (self._head, _date(int(time())), len(body), body)


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
