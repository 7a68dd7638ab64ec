import pytest

from appliance.core.blocking.targets import Scope, TargetKind, covers_name, kind_of, name_and_scope, parse_target
from appliance.core.refusal import Code, Refused


@pytest.mark.parametrize(
    ("text", "target", "kind"),
    [
        ("192.168.1.100", "192.168.1.100", TargetKind.ADDRESS),
        (" 10.0.0.0/8 ", "10.0.0.0/8", TargetKind.PREFIX),
        ("10.0.0.1/32", "10.0.0.1", TargetKind.ADDRESS),
        ("2001:DB8::0:1", "2001:db8::1", TargetKind.ADDRESS),
        ("2001:db8::/64", "2001:db8::/64", TargetKind.PREFIX),
        ("::ffff:10.0.0.5", "10.0.0.5", TargetKind.ADDRESS),
        ("02:00:5E:10:00:01", "02:00:5e:10:00:01", TargetKind.MAC),
        ("02-00-5e-10-00-01", "02:00:5e:10:00:01", TargetKind.MAC),
        ("0200.5e10.0001", "02:00:5e:10:00:01", TargetKind.MAC),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", TargetKind.ADDRESS),
        ("Example.COM.", "example.com", TargetKind.NAME),
        ("*.Example.com", "*.example.com", TargetKind.NAME),
        ("=Example.com.", "=example.com", TargetKind.NAME),
        ("_dmarc.xn--p1ai.example1.co", "_dmarc.xn--p1ai.example1.co", TargetKind.NAME),
        ("bücher.example", "xn--bcher-kva.example", TargetKind.NAME),
        # UTS 46 without transition: its own examples, and what lower case alone would read wrongly.
        ("Straße.example", "xn--strae-oqa.example", TargetKind.NAME),
        ("faß.de", "xn--fa-hia.de", TargetKind.NAME),
        ("βόλος.com", "xn--nxasmm1c.com", TargetKind.NAME),
        ("ΣΑΣ.example", "xn--mxa9ab.example", TargetKind.NAME),
        ("日本。example", "xn--wgv71a.example", TargetKind.NAME),
        ("a\u00adb.example", "ab.example", TargetKind.NAME),
        ("*.bücher.example", "*.xn--bcher-kva.example", TargetKind.NAME),
    ],
)
def test_a_target_has_one_way_to_be_written_and_shows_its_kind(text: str, target: str, kind: TargetKind) -> None:
    assert (parse_target(text), kind_of(target)) == (target, kind)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.1/24",
        "10.0.0.256",
        "host",
        "fe80::1%eth0",
        "1" * 500,
        "10.0.0.0/33",
        "٣.0.0.1",
        "-a.com",
        "a..com",
        "02:00:5e:10:00",
        "=*.example.com",
        "*.10.0.0.1",
        "=10.0.0.1",
        "=host",
        "\uff11.0.0.1",
        "é" * 200 + ".com",
    ],
)
def test_text_that_is_no_target_is_refused_as_a_bad_request(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_target(text)
    assert refused.value.code is Code.BAD_REQUEST


@pytest.mark.parametrize(
    ("target", "covered"),
    [
        ("example.com", {"example.com", "www.example.com"}),
        ("=example.com", {"example.com"}),
        ("*.example.com", {"www.example.com"}),
    ],
)
def test_a_name_covers_itself_or_what_is_below_it_or_both(target: str, covered: set[str]) -> None:
    asked = {"example.com", "www.example.com", "badexample.com", "com", "example.com.org"}
    assert {name for name in asked if covers_name(target, name)} == covered


def test_the_mark_before_a_name_is_its_scope() -> None:
    assert name_and_scope("=example.com") == ("example.com", Scope.ITSELF)
    assert name_and_scope("*.example.com") == ("example.com", Scope.BELOW)
    assert name_and_scope("example.com") == ("example.com", Scope.ITSELF | Scope.BELOW)
