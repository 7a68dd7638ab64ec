"""Which address is the client's, of those that a chain of proxies names."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.access.client_address import plain_address
from appliance.core.access.forwarded import LONGEST_HEADER, client_of, is_trusted, scheme_of

TRUSTED = [ip_network("10.0.0.1"), ip_network("10.8.0.0/24"), ip_network("2001:db8:8::/64")]
PROXY = "10.0.0.1"
CLIENT = "203.0.113.9"


@pytest.mark.parametrize(
    ("listed", "client"),
    [
        (None, PROXY),  # the proxy's own request, such as a check of its health
        (CLIENT, CLIENT),
        (f"  {CLIENT}\t", CLIENT),
        (f"198.51.100.1, {CLIENT}", CLIENT),  # the client's invention
        (f"nonsense,,;, {CLIENT}", CLIENT),
        (f"{CLIENT}, 10.8.0.7", CLIENT),  # two trusted proxies
        (f"198.51.100.1, {CLIENT}, 10.8.0.7,2001:db8:8::7", CLIENT),
        (f"10.0.0.1, {CLIENT}", CLIENT),  # a client that calls itself a proxy
        (f"{CLIENT}, 198.51.100.1, 10.8.0.7", "198.51.100.1"),  # a proxy that is not trusted is the client
        ("10.8.0.9", "10.8.0.9"),  # a computer among the proxies
        ("10.8.0.9, 10.8.0.7", "10.8.0.9"),
        (f"{CLIENT}:4711", CLIENT),
        ("2001:db8::9", "2001:db8::9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("::ffff:203.0.113.9", CLIENT),
    ],
)
def test_the_client_is_the_first_hop_from_the_right_that_is_no_trusted_proxy(listed: str | None, client: str) -> None:
    assert client_of(PROXY, listed, None, TRUSTED) == client


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (f"for={CLIENT}", CLIENT),
        (f"for=198.51.100.1;by=x, For={CLIENT};Proto=https;host=pi.example", CLIENT),
        ('for="[2001:db8::9]:4711"', "2001:db8::9"),
        ('for="203.0.113.9:4711"', CLIENT),
        (f"for={CLIENT}, for=10.8.0.7", CLIENT),
        (f'for="198.51.100.1, for={CLIENT}', CLIENT),  # a quotation mark that the client has opened
    ],
)
def test_the_standard_s_own_header_is_read_alike(forwarded: str, client: str) -> None:
    assert client_of(PROXY, None, forwarded, TRUSTED) == client


@pytest.mark.parametrize(
    "listed",
    [
        "",
        ",",
        f"{CLIENT},",
        "unknown",
        "_hidden",
        "nonsense",
        "203.0.113",
        "203.0.113.999",
        "203.0.113.9/24",
        "[203.0.113.9]x",
        "[2001:db8::9",
        "203.0.113.9 203.0.113.8",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "for=203.0.113.9",
        "fe80::1%eth0",
        "unknown, 10.8.0.7",
        f"{'1.1.1.1,' * 300}{CLIENT}",
    ],
)
def test_what_names_no_client_is_refused(listed: str) -> None:
    with pytest.raises(ValueError, match="client"):
        client_of(PROXY, listed, None, TRUSTED)


@pytest.mark.parametrize(
    "forwarded",
    [
        "",
        "for",
        "for=",
        "for=unknown",
        "proto=https",
        "for=1.1.1.1;for=2.2.2.2",
        "for=1.1.1.1;;",
        'for="1.1.1.1',
        "x y",
    ],
)
def test_a_malformed_header_of_the_standard_is_refused(forwarded: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  two sentences
        client_of(PROXY, None, forwarded, TRUSTED)


def test_two_headers_must_agree() -> None:
    assert client_of(PROXY, CLIENT, f"for={CLIENT}", TRUSTED) == CLIENT
    with pytest.raises(ValueError, match="different clients"):
        client_of(PROXY, CLIENT, "for=198.51.100.1", TRUSTED)


def test_an_ipv4_proxy_is_trusted_at_an_ipv6_socket_too_and_nobody_else_is() -> None:
    assert is_trusted("::ffff:10.0.0.1", TRUSTED)
    assert not is_trusted("10.0.0.2", TRUSTED)
    assert not is_trusted("", TRUSTED)
    assert not is_trusted(PROXY, [])


@pytest.mark.parametrize(
    ("named", "forwarded", "scheme"),
    [
        (None, None, None),
        ("https", None, "https"),
        ("HTTP", None, "http"),
        ("wss", None, "https"),
        ("http, https", None, "https"),
        (None, "for=1.1.1.1;proto=https", "https"),
        (None, "for=1.1.1.1", None),
    ],
)
def test_the_scheme_is_the_nearest_proxy_s(named: str | None, forwarded: str | None, scheme: str | None) -> None:
    assert scheme_of(named, forwarded) == scheme


@pytest.mark.parametrize("named", ["", "ftp", "https,", "https://x"])
def test_a_strange_scheme_is_refused(named: str) -> None:
    with pytest.raises(ValueError, match="X-Forwarded-Proto"):
        scheme_of(named, None)


@given(st.one_of(st.none(), st.text(max_size=LONGEST_HEADER + 9)), st.one_of(st.none(), st.text(max_size=300)))
def test_any_header_gives_an_address_or_a_refusal(listed: str | None, forwarded: str | None) -> None:
    try:
        found = client_of(PROXY, listed, forwarded, TRUSTED)
    except ValueError:
        return
    assert plain_address(found) == found


@given(st.text(alphabet='0123456789.:,;=for"[] ', max_size=100))
def test_nothing_that_a_client_sends_changes_what_the_proxy_appends(invented: str) -> None:
    assert client_of(PROXY, f"{invented}, {CLIENT}", None, TRUSTED) == CLIENT
    assert client_of(PROXY, None, f"{invented}, for={CLIENT}", TRUSTED) == CLIENT
