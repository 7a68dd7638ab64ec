import codecs
import re
from collections.abc import Iterator
from ipaddress import ip_network
from itertools import permutations
from pathlib import Path
from typing import get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from msgspec.structs import replace

from appliance.config import Config, ConfigError, LimitsSection, judge, load, load_text, parse
from appliance.config.remarks import remarks
from appliance.config.section import Section
from appliance.config.values import DURATION
from appliance.core.machine import Position
from appliance.core.metering.history_series import Step
from appliance.core.metering.quota import QuotaKind

WHOLE = """
[appliance]
position = "gateway"
timezone = "Europe/Berlin"
[server]
host = "127.0.0.1"
port = 5001
[periods]
metering = 1
analytics = 5
health = 5
[[departments]]
id = "dept123"
name = "Radiology"
interface = "eth1"
subnets = ["192.168.1.0/24"]
line_rate = "1 Gbit"
[departments.quota]
daily = "5 GiB"
weekly = "30 GB"
thresholds = [80, 95]
[protection]
addresses = ["192.168.1.2"]
[panel]
button = 17
hold = 3
"""


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse(text.encode(), "a.toml")
    return str(error.value).splitlines()


def department(extra: str) -> str:
    return f'[appliance]\nposition = "host"\n[[departments]]\nid = "a"\ninterface = "eth1"\n{extra}\n'


def test_a_whole_file_becomes_typed_values() -> None:
    config = parse(WHOLE.encode(), "a.toml")
    assert config.position is Position.GATEWAY
    [radiology] = config.as_departments()
    assert radiology.limits.bytes_by_kind == {QuotaKind.DAILY: 5 * 2**30, QuotaKind.WEEKLY: 30 * 10**9}
    assert radiology.limits.thresholds == (80, 95, 100)
    assert radiology.line_rate_bps == 10**9


def test_all_faults_are_reported_at_once_with_key_found_and_allowed_values() -> None:
    text = WHOLE.replace('"gateway"', '"gatway"').replace("port = 5001", "prot = 5001").replace('"5 GiB"', "5")
    told = faults(text)
    assert len(told) == 3
    assert all(line.startswith("a.toml: ") for line in told)
    assert 'appliance.position: found "gatway"; allowed: one of "bridge"' in told[0]
    assert any('server."prot": unknown key; did you mean "port"?' in line for line in told)
    assert any("departments[1].quota.daily: found 5; allowed: a size with its unit" in line for line in told)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ('quota = { daily = "5 Gib" }', "quota.daily"),
        ('quota = { daily = "-1 GB" }', "quota.daily"),
        ('quota = { daily = "9223372036854775808 B" }', "quota.daily"),
        ('quota = { daily = "5 Gbit" }', "quota.daily"),
        ('quota = { hosts = { daily = "1 Gbit" } }', "quota.hosts.daily"),
        ('line_rate = "1 GB"', "line_rate"),
        ('subnets = ["192.168.1.1/24"]', "subnets[1]"),
        ('subnets = "192.168.1.0/24"', "subnets"),
        ("quota = 5", "quota"),
        ("quota = { thresholds = [80, 101] }", "thresholds[2]"),
        (f'name = "{"x" * 300}"', "name"),
    ],
)
def test_a_wrong_value_is_reported_with_its_key(extra: str, told: str) -> None:
    [line] = faults(department(extra))
    assert f"departments[1].{told}" in line or told in line
    assert len(line) < 300


def test_sizes_in_binary_and_decimal_units_differ() -> None:
    for text, expected in [
        ("5 GiB", 5 * 2**30),
        ("5 GB", 5 * 10**9),
        ("0 B", 0),
        ("1.5 MB", 1_500_000),
        ("9223372036854775807 B", 2**63 - 1),
    ]:
        config = parse(department(f'quota = {{ daily = "{text}" }}').encode(), "a.toml")
        assert config.departments[0].quota.daily == expected


def test_hosts_have_limits_of_their_own_and_share_the_rest_with_their_department() -> None:
    quota = 'quota = { daily = "5 GB", on_exceeded = "block", billing_day = 3, hosts = { monthly = "1 GB" } }'
    [one] = parse(department(quota).encode(), "a.toml").as_departments()
    assert one.limits.bytes_by_kind == {QuotaKind.DAILY: 5 * 10**9}
    assert one.host_limits == replace(one.limits, bytes_by_kind={QuotaKind.MONTHLY: 10**9})


def test_an_action_without_any_limit_is_refused_and_a_limit_of_hosts_is_one() -> None:
    assert "on_exceeded without" in faults(department('quota = { on_exceeded = "block" }'))[0]
    assert parse(department('quota = { on_exceeded = "block", hosts = { daily = "1 GB" } }').encode(), "a.toml")


def test_two_departments_with_the_same_subnet_are_refused_by_both_names() -> None:
    text = (
        department('subnets = ["10.0.0.0/8"]')
        + '[[departments]]\nid = "b"\ninterface = "eth2"\nsubnets = ["10.1.0.0/16"]'
    )
    [line] = faults(text)
    assert '"a" and "b" both claim 10.1.0.0/16' in line


def test_each_claim_is_told_with_the_nearest_around_it_in_the_order_of_the_file() -> None:
    claims = {"a": "10.1.2.0/24", "b": "10.0.0.0/8", "c": "10.1.0.0/16", "d": "10.2.0.0/16", "e": "192.168.0.0/24"}
    text = "".join(f'[[departments]]\nid = "{k}"\ninterface = "{k}"\nsubnets = ["{v}"]\n' for k, v in claims.items())
    assert [line.partition("departments: ")[2] for line in faults('[appliance]\nposition = "gateway"\n' + text)] == [
        '"a" and "c" both claim 10.1.2.0/24',
        '"b" and "c" both claim 10.1.0.0/16',
        '"b" and "d" both claim 10.2.0.0/16',
    ]


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 4)), min_size=1, max_size=3), min_size=1, max_size=6)
)
def test_exactly_those_departments_are_named_that_share_an_address(claims: list[list[tuple[int, int]]]) -> None:
    departments = [
        [ip_network((0x0A000000 | (number >> 4 - bits) << 8 - bits, 24 + bits)) for number, bits in one]
        for one in claims
    ]
    text = '[appliance]\nposition = "gateway"\n' + "".join(
        f'[[departments]]\nid = "d{at}"\ninterface = "eth{at}"\nsubnets = {[str(one) for one in subnets]}\n'
        for at, subnets in enumerate(departments)
    )
    sharing = {
        f"d{at}"
        for one, other in permutations(range(len(departments)), 2)
        for at in (one, other)
        if any(a.overlaps(b) for a in departments[one] for b in departments[other])
    }
    config, found = judge(text)
    assert (config is None) == bool(sharing)
    assert {name for one in found for name in re.findall(r'"(d\d+)"', one.message)} == sharing


def test_two_departments_with_one_id_interface_or_pin_are_refused() -> None:
    assert "given twice" in faults(department("") + '[[departments]]\nid = "a"\ninterface = "eth2"')[0]
    assert "share the interface eth1" in faults(department("") + '[[departments]]\nid = "b"\ninterface = "eth1"')[0]
    assert "a pin is given twice" in faults(department("") + "[panel]\nbutton = 22")[0]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a = ", b"a = " + b"[" * 5000, b"= 1"])
def test_a_text_that_is_no_toml_is_reported_in_one_line(content: bytes) -> None:
    with pytest.raises(ConfigError, match="not a TOML file") as error:
        parse(content, "a.toml")
    assert "\n" not in str(error.value)


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_file_is_read_as_any_editor_saves_it(tmp_path: Path, encoding: str, ends: str) -> None:
    text = WHOLE.replace("Radiology", "Röntgen").replace("\n", ends)
    path = tmp_path / "a.toml"
    path.write_bytes(text.encode(encoding))
    marked = codecs.BOM_UTF16_BE + text.encode("utf-16-be")
    for config in (load(path), parse(load_text(path).encode(), "a.toml"), parse(marked, "a.toml")):
        assert config.as_departments()[0].name == "Röntgen"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (WHOLE.replace("Radiology", "Röntgen").encode("latin-1"), "line 14"),
        (b"\xff\xfe[\x00a", "line 1"),
        (b"\x80", "line 1"),
        (WHOLE.encode("utf-16")[:-1], "line"),
    ],
)
def test_another_encoding_is_told_with_its_line_and_what_to_do(content: bytes, line: str) -> None:
    with pytest.raises(ConfigError, match="save it as UTF-8") as error:
        parse(content, "a.toml")
    assert line in str(error.value)


def test_a_file_that_is_missing_or_too_large_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (1 << 21))
    with pytest.raises(ConfigError, match="larger than"):
        load(large)


def test_the_empty_file_says_what_is_needed() -> None:
    told = faults("")
    assert any("appliance: missing" in line for line in told)
    assert any("departments: missing" in line for line in told)


def test_every_key_describes_its_allowed_values() -> None:
    import msgspec

    from appliance.config.reading import _allowed
    from appliance.config.section import Section

    def walk(kind: type[Section]) -> None:
        for field in msgspec.structs.fields(kind):
            assert _allowed(field.type)
            if isinstance(field.type, type) and issubclass(field.type, Section):
                walk(field.type)

    walk(Config)


def test_history_is_kept_as_configured_and_by_default_for_years() -> None:
    retention = parse(department("[history]\nhour = 100\nhost_day = 500\n").encode(), "a.toml").as_retention()
    assert retention.department_days == {
        Step.MINUTE: 2,
        Step.FIVE_MINUTES: 14,
        Step.HOUR: 100,
        Step.DAY: 3650,
    }
    assert retention.host_days == {Step.FIVE_MINUTES: 7, Step.HOUR: 31, Step.DAY: 500}


def test_wide_buckets_must_be_kept_as_long_as_narrow_ones() -> None:
    assert faults(department("[history]\nminute = 15\nhost_hour = 401\n")) == [
        "a.toml: history: minute is kept longer than five_minutes; what is wider must be kept at least as long",
        "a.toml: history: host_hour is kept longer than host_day; what is wider must be kept at least as long",
    ]


def test_history_kept_for_zero_days_is_refused() -> None:
    [told] = faults(department("[history]\nminute = 0\n"))
    assert told == "a.toml: history.minute: found 0; allowed: a whole number of days from 1 to 3660"


def block_list(extra: str) -> str:
    return department("") + f"[[block_lists]]\n{extra}\n"


def test_a_block_list_needs_a_name_and_a_source() -> None:
    [known] = parse(block_list('name = "bad"\nsource = "/etc/bad.txt"').encode(), "a.toml").as_block_lists()
    assert (known.origin, known.refresh_s, known.department, known.duration_s) == ("list:bad", 3600, None, 0)
    assert known.confirm_reads == 24
    assert any("block_lists[1].source: missing" in line for line in faults(block_list('name = "bad"')))


@pytest.mark.parametrize(
    "source", ["bad.txt", "https://", "http://", "http://user:word@a/b", "http://a/b c", "ftp://a/b", "file:///a"]
)
def test_a_list_comes_from_an_absolute_path_or_http(source: str) -> None:
    [line] = faults(block_list(f'name = "bad"\nsource = "{source}"'))
    assert "block_lists[1].source" in line


@pytest.mark.parametrize(
    "source", ["http://192.168.1.2/a.txt", "http://[fd00::1]:8080/a?b=c", "https://lists.lan", "/a b"]
)
def test_every_notation_of_a_source_is_accepted(source: str) -> None:
    parse(block_list(f'name = "bad"\nsource = "{source}"').encode(), "a.toml")


def test_contradictions_in_block_lists_are_reported() -> None:
    one = 'name = "bad"\nsource = "/a"\n'
    assert "given twice" in faults(block_list(f"{one}[[block_lists]]\n{one}"))[0]
    assert "which is not configured" in faults(block_list(f'{one}department = "b"'))[0]
    assert "longer than its refresh" in faults(block_list(f"{one}duration = 60"))[0]


def test_limits_have_defaults_and_must_make_sense_together() -> None:
    assert parse(department("").encode(), "a.toml").limits == LimitsSection()
    limits = parse(department("[limits]\nconnections = 50\nconnections_per_address = 50").encode(), "a").limits
    assert (limits.connections, limits.connections_per_address) == (50, 50)
    assert "connections_per_address" in faults(department("[limits]\nconnections = 10"))[0]
    assert "connections" in faults(department("[limits]\nconnections = 0"))[0]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("certificate = '/a.pem'\ntls = true", "go together"),
        ("key = '/a.pem'\ntls = true", "go together"),
        ("certificate = '/a.pem'\nkey = '/a.key'", "tls is not true"),
        ("tls = true\nhsts_max_age = 60", "browsers trust by themselves"),
        ("tls = 'yes'", "allowed: true or false"),
    ],
)
def test_contradictions_in_tls_are_reported(keys: str, told: str) -> None:
    assert told in faults(department(f"[server]\n{keys}"))[0]


ISSUER = '[[issuers]]\niss = "https://a"\nalgorithm = "RS256"\nkey = "/a.pem"\naudience = "here"\n'


def test_an_issuer_gives_at_most_viewer_unless_more_is_allowed() -> None:
    [issuer] = parse(department(ISSUER).encode(), "a.toml").issuers
    assert (issuer.maximum_role, issuer.role_claim, issuer.roles) == ("viewer", "role", None)
    words = 'maximum_role = "admin"\nroles = { net = "operator" }\ndepartments = { Radiology = "dept123" }\n'
    [issuer] = parse(department(ISSUER + words).encode(), "a.toml").issuers
    assert (issuer.roles, issuer.departments) == ({"net": "operator"}, {"Radiology": "dept123"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ISSUER.replace("RS256", "HS256"), 'one of "RS256", "EdDSA"'),
        (ISSUER.replace("RS256", "none"), 'one of "RS256", "EdDSA"'),
        (ISSUER.replace('"https://a"', '"appliance"'), "the appliance itself"),
        (ISSUER + ISSUER, "given twice"),
        (ISSUER + 'maximum_role = "root"', '"viewer"'),
        (ISSUER + 'roles = { net = "root" }', "roles"),
    ],
)
def test_an_invalid_issuer_is_reported(text: str, told: str) -> None:
    assert told in faults(department(text))[0]


DURATIONS = {
    "[periods]\nmetering": (lambda config: config.periods.metering, "0.5s", 0.5),
    "[limits]\nlogin_deadline": (lambda config: config.limits.login_deadline, "1m30s", 90),
    "[detection]\nblock_duration": (lambda config: config.detection.block_duration, "2h", 7200),
    "[panel]\nhold": (lambda config: config.panel.hold, "3s", 3),
    '[[block_lists]]\nname = "a"\nsource = "/a"\nrefresh': (lambda config: config.block_lists[0].refresh, "1d", 86_400),
    '[[block_lists]]\nname = "a"\nsource = "/a"\nduration': (
        lambda config: config.block_lists[0].duration,
        "7d",
        604_800,
    ),
}


@pytest.mark.parametrize("key", DURATIONS)
def test_seconds_may_be_written_with_units(key: str) -> None:
    value, text, seconds = DURATIONS[key]
    for written in (f'"{text}"', str(seconds)):
        assert value(parse(department(f"{key} = {written}").encode(), "a.toml")) == seconds
    for wrong in ("soon", "-1s", "9999d", "1M"):
        [fault] = faults(department(f'{key} = "{wrong}"'))
        assert f'found "{wrong}"; allowed: ' in fault
        assert "or a text such as" in fault or "a text such as" in fault


def test_every_number_of_seconds_may_be_written_with_units() -> None:
    """Whatever is described in seconds takes a text too."""
    plain = [name for name, meta in described(Config) if "seconds" in meta.description and meta.extra != DURATION]
    assert plain == []


def described(kind: type[Section]) -> Iterator[tuple[str, Meta]]:
    for field in msgspec.structs.fields(kind):
        inner = get_args(field.type)[0] if get_origin(field.type) is tuple else field.type
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from described(inner)
        for meta in getattr(field.type, "__metadata__", ()):
            if isinstance(meta, Meta) and meta.description:
                yield field.encode_name, meta


@pytest.mark.parametrize(
    ("trusted", "told"),
    [
        ("0.0.0.0/0", "everybody"),
        ("::/0", "everybody"),
        ("192.168.0.0/16", "pretend to be anyone"),
        ("10.0.0.1/8", "host bits"),
        ("proxy.example", "an address or a prefix"),
    ],
)
def test_a_range_that_is_trusted_holds_proxies_and_nobody_else(trusted: str, told: str) -> None:
    keys = f'[server]\ntrusted_proxies = ["{trusted}"]'
    assert told in "\n".join(faults(department('subnets = ["192.168.1.0/24"]') + keys))


def test_a_trusted_proxy_is_protected_and_may_be_in_a_department() -> None:
    keys = '[server]\ntrusted_proxies = ["192.168.1.9", "10.8.0.0/24"]'
    config = parse((department('subnets = ["192.168.1.0/24"]') + keys).encode(), "a.toml")
    assert [str(one.network) for one in config.as_protected()] == ["192.168.1.9/32"]


def test_an_exempt_entry_in_the_department_s_own_subnets_is_remarked_as_a_destination() -> None:
    config = parse(WHOLE.encode(), "a.toml")
    own = config.departments[0].subnets[0]
    [department, *others] = config.departments
    changed = msgspec.structs.replace(config, departments=(msgspec.structs.replace(department, exempt=(own,)), *others))
    [remark] = remarks(changed)
    assert f'"{department.id}" exempts {own.network}' in remark


@pytest.mark.parametrize(
    ("position", "opens", "remark"),
    [("bridge", "opens", "no block and no quota holds"), ("mirror", "stays", "nothing")],
)
def test_what_opens_in_maintenance_is_remarked_and_opens_nothing_where_nothing_is_enforced(
    position: str, opens: str, remark: str
) -> None:
    text = f'[appliance]\nposition = "{position}"\n[[departments]]\nid = "a"\ninterface = "eth1"\n'
    closed, config = (
        parse((text + more).encode(), "a.toml") for more in ("", '[maintenance]\nenforcement = "opens"\n')
    )
    assert (closed.as_in_maintenance(), [*remarks(closed)]) == ("stays", [])
    assert config.as_in_maintenance() == opens
    [found] = remarks(config)
    assert remark in found
    with pytest.raises(ConfigError, match="opens"):
        parse((text + '[maintenance]\nenforcement = "ajar"\n').encode(), "a.toml")


@pytest.mark.parametrize(
    ("written", "read"),
    [("02-00-5E-10-00-01", "02:00:5e:10:00:01"), ("192.168.1.2", "192.168.1.2"), ("2001:DB8::1", "2001:db8::1")],
)
def test_a_router_is_written_as_a_mac_or_an_ip_address(written: str, read: str) -> None:
    text = f'[appliance]\nposition = "bridge"\n[[departments]]\nid = "a"\ninterface = "eth1"\nrouters = ["{written}"]\n'
    assert parse(text.encode(), "a.toml").as_departments()[0].routers == (read,)
    with pytest.raises(ConfigError, match="a MAC or an IP address"):
        parse(text.replace(written, "the router").encode(), "a.toml")


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ('folder = "/mnt/nas"', "backup: it needs a secret together with a folder or a url, or none of them"),
        ('secret = "backup"', "backup: it needs a secret together with a folder or a url, or none of them"),
        (
            'folder = "/mnt/nas"\nurl = "https://nas/"\nsecret = "a"',
            "backup: it goes to a folder or to a url; leave one of them out",
        ),
        ('url = "https://nas/"\nsecret = "a"\nuser = "pi"', "backup: it needs user and password together, or neither"),
        (
            'url = "http://nas/"\nsecret = "a"\nuser = "pi"\npassword = "nas"',
            "backup: the password would be sent unsealed; its url must begin with https",
        ),
    ],
)
def test_a_backup_that_cannot_be_made_is_a_fault(keys: str, fault: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(f"{WHOLE}\n[backup]\n{keys}\n".encode(), "file")
    assert fault in str(raised.value)
