"""The choice of a content coding: by weight, then by our order; what cannot be read is not taken."""

import pytest

from appliance.server.http.content_coding import choose_coding


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", None),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("GZIP", "gzip"),
        ("br;q=0.5, gzip;q=0.9", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.000,gzip;q=0", None),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("*;q=0", None),
        ("gzip, *;q=0", "gzip"),
        ("identity", None),
        ("identity;q=0.5, gzip;q=0.4", None),
        ("identity;q=0, gzip;q=0.4", "gzip"),
        ("identity;q=0", None),  # nothing else is named: RFC 9110 lets a server ignore it
        ("br ; q=1 , gzip", "br"),
        ("br;q=nan, gzip;q=1e3", None),
        ("br;q=2, gzip;q=-1", None),
        (",,;,;q=1", None),
        ("zstd", None),
    ],
)
def test_the_coding_that_a_client_likes_best_is_chosen(accepted: str, chosen: str | None) -> None:
    assert choose_coding(accepted, ["br", "gzip"]) == chosen


def test_nothing_is_chosen_of_nothing() -> None:
    assert choose_coding("gzip, br", []) is None
