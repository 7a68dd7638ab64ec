from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config import Config, ConfigError, LimitsSection, load, parse
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


def test_two_departments_with_one_id_interface_or_pin_are_refused() -> None:
    assert "given twice" in faults(department("") + '[[departments]]\nid = "a"\ninterface = "eth2"')[0]
    assert "share the interface eth1" in faults(department("") + '[[departments]]\nid = "b"\ninterface = "eth1"')[0]
    assert "a pin is given twice" in faults(department("") + "[panel]\nbutton = 22")[0]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = ", b"a = " + b"[" * 5000, b"= 1"])
def test_a_text_that_is_no_toml_is_reported_in_one_line(content: bytes) -> None:
    with pytest.raises(ConfigError, match="not a TOML file") as error:
        parse(content, "a.toml")
    assert "\n" not in str(error.value)


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
    from appliance.config.sections import Section

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
