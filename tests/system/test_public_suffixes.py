import resource
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PSLFILE, PublicSuffixList

from appliance.system.public_suffixes import LONGEST_NAME, PublicSuffixes

SUFFIXES = PublicSuffixes()


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("example.org", "example.org"),
        ("a.b.c.example.org", "example.org"),
        ("WWW.Example.CO.UK.", "example.co.uk"),
        ("city.kawasaki.jp", "city.kawasaki.jp"),  # an exception to a wildcard
        ("a.b.other.kawasaki.jp", "b.other.kawasaki.jp"),
        ("somebody.github.io", "somebody.github.io"),  # a suffix of a private registry
        ("www.bücher.de", "xn--bcher-kva.de"),
        ("www.xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("_443._https.example.org", "example.org"),
    ],
)
def test_a_name_folds_to_what_somebody_has_registered(name: str, domain: str) -> None:
    assert SUFFIXES(name) == domain


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "org",
        "co.uk",
        "localhost",
        "printer.local",
        "nas.home.arpa",
        "files.internal",
        "192.168.1.1",
        "2001:db8::1",
        "1.1.168.192.in-addr.arpa",
        "a..example.org",
        ".example.org",
        "a b.example.org",
        "<script>.org",
        "a\\.b.org",
        "x" * 64 + "é.org",
        "a." * LONGEST_NAME + "org",
    ],
)
def test_what_is_nobodys_on_the_internet_has_no_domain(name: str) -> None:
    assert SUFFIXES(name) is None


def test_every_rule_of_the_list_is_read_as_the_library_reads_it() -> None:
    theirs = PublicSuffixList(accept_unknown=False)
    rules = [line.split()[0] for line in Path(PSLFILE).read_text().splitlines() if line and not line.startswith("//")]
    for rule in rules:
        name = rule.lstrip("!").replace("*", "any").encode("idna").decode()
        for asked in (name, f"a.{name}", f"b.a.{name}"):
            if not asked.endswith(".arpa"):
                assert SUFFIXES(asked) == theirs.privatesuffix(asked), asked
    assert len(rules) > 9000


def test_without_a_free_descriptor_a_name_has_no_domain_and_the_list_is_read_later() -> None:
    suffixes = PublicSuffixes()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        assert suffixes("www.example.org") is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert suffixes("www.example.org") == "example.org"


@given(st.text(max_size=300))
def test_no_text_raises_and_a_domain_is_a_part_of_the_name(name: str) -> None:
    domain = SUFFIXES(name)
    assert domain is None or (domain.isascii() and domain.count(".") >= 1)


def test_reading_the_list_never_takes_much_more_memory_than_the_list() -> None:
    PublicSuffixes()("www.example.org")  # loads what writes names in their DNS form
    tracemalloc.start()
    try:
        suffixes = PublicSuffixes()
        assert suffixes("www.example.org") == "example.org"
        held_bytes, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes < peak_bytes < 600_000
