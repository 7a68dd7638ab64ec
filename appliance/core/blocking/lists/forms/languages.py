"""The languages of lists, line by line: a table of patterns and what each line means.

A pattern matches the whole line, without its comment. The first that matches counts; what none matches is plain entries
or columns. Each reader returns entries, still as text, or readings; it raises `NoEntry`.
"""

import re
from collections.abc import Callable, Iterable

from appliance.core.blocking.lists.forms import firewall_lines as filters
from appliance.core.blocking.lists.forms import zone_records as zones
from appliance.core.blocking.lists.forms.columns import ENTRY_NAMES, plain_name
from appliance.core.blocking.lists.forms.entry import Meaning, NoEntry
from appliance.core.blocking.lists.forms.firewall_lines import SOME_PACKETS

Found = Iterable[str | Meaning]

# Names that are in every hosts file anyway.
LOCAL_NAMES = frozenset(
    {"localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback", "ip6-localnet"}
    | {"ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts", "localhost6", "0.0.0.0"}  # noqa: S104
)
# What such a file has for the computer itself and its groups.
_LOCAL_ADDRESSES = frozenset(
    {*zones.SINKS, "255.255.255.255", "fe80::1%lo0", "ff00::0", "ff02::1", "ff02::2", "ff02::3"}
)
LONGEST_RULE = 1000  # characters: people write them; longer lines are entries only, and are not searched for patterns
_PART = "a filter of parts of pages or hosts"
_ANY_ADDRESS = re.compile(r"\d+(?:\.\d+){3}|(?:[0-9a-f]+:){2}", re.IGNORECASE)
_WHOLE_HOST_OPTIONS = frozenset({"important", "all"})  # of a filter list: the others are about some requests only
_WORDS = re.compile(
    r"commit|quit|return|end|exit|next|auto-merge;?|[{}()\[\];,\s]+"
    r"|[\w.-]+\s*=\s*[\[({]|[\w-]+:|\[adblock.*\]|@echo .*",
    re.IGNORECASE,
)


def is_without_entry(line: str) -> bool:
    """Whether a line belongs to its language and has no entry by itself."""
    return _WORDS.fullmatch(line) is not None


def hosts_line(line: str) -> Found | None:
    """The names of a hosts file's line, each alone; `None`: it is none."""
    words = line.split()
    if len(words) < 2 or words[0] not in _LOCAL_ADDRESSES:
        return None
    names = [word for word in words[1:] if word not in LOCAL_NAMES]
    if words[0] not in zones.SINKS and names:
        raise NoEntry("a name of a local group")
    return [name if name.startswith("*.") else f"={name}" for name in names]


def _nothing(match: re.Match[str]) -> Found:
    """A line without an entry. One with an address in spite of that is reported, because nothing is passed over."""
    if _ANY_ADDRESS.search(match[0]):
        raise NoEntry("an address in a place where no entry is known")
    return ()


def _reported(why: str) -> Callable[[re.Match[str]], Found]:
    def report(_: re.Match[str]) -> Found:
        raise NoEntry(why)

    return report


def _entries(match: re.Match[str]) -> Found:
    return re.split(r"[\s,]+", match["entries"].strip(" ,;"))


def _exceptions(match: re.Match[str]) -> Found:
    return [zones.exception(one) for one in _entries(match) if isinstance(one, str)]


def _alone(match: re.Match[str]) -> Found:
    return [f"={match['name']}"]


def _whole(match: re.Match[str]) -> Found:
    return [match["name"].replace("\\.", ".")]


def _adblock(match: re.Match[str]) -> Found:
    """`||NAME^$OPTIONS`."""
    options = {one for one in (match["options"] or "").lower().split(",") if one}
    if options - _WHOLE_HOST_OPTIONS:
        raise NoEntry("it is about some requests only; a block is about all")
    if "*" in match["name"].removeprefix("*."):
        raise NoEntry("a pattern; only *. before a name can be blocked")
    return [match["name"]]


def _peers(match: re.Match[str]) -> Found:
    return [f"{match['first']}-{match['last']}"]


def _clash(match: re.Match[str]) -> Found:
    """`DOMAIN-SUFFIX,NAME[,POLICY]`."""
    policy = match["rest"].strip(" ,").partition(",")[0].upper()
    alone = "=" if match["kind"].upper() in {"DOMAIN", "HOST"} else ""
    target = f"{alone}{match['what'].strip()}"
    if policy and not policy.startswith(("REJECT", "NO-RESOLVE")):
        return [zones.exception(target)]
    return [target]


def _keyed(match: re.Match[str]) -> Found:
    """`KEY: VALUE` or `KEY = VALUE`."""
    if plain_name(match["key"]) not in ENTRY_NAMES:
        raise NoEntry("its key is none of an entry")
    return [match["value"]]


def _full(match: re.Match[str]) -> Found:
    """`domain:NAME` and `full:NAME`."""
    return [f"={match['name']}" if match["kind"].lower() == "full" else match["name"]]


_V4 = r"\d{1,3}(?:\.\d{1,3}){3}"
_ADDRESS = r"(?=[0-9A-Fa-f]*[.:])[0-9A-Fa-f.:]+(?:/[\d.]+)?"
_IPTABLES = r"(?:\[\d+:\d+\]\s*)?(?:(?:sudo\s+)?(?:/\S*/)?ip6?tables(?:-\w+)?\s+)?(?:-w\s+)?(?:-t\s+\w+\s+)?"

Language = tuple[re.Pattern[str], Callable[[re.Match[str]], Found]]


def languages_of(line: str) -> tuple[Language, ...]:
    """The languages that a line may be in, by how it begins; the first that matches counts."""
    if len(line) > LONGEST_RULE:
        return ()
    return _ANY if line[0].isdigit() else _BY_WORD


def _compiled(*rows: tuple[str, Callable[[re.Match[str]], Found]]) -> tuple[Language, ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), reader) for pattern, reader in rows)


# Languages of which a line may begin with a number.
_ANY = _compiled(
    (
        r"(?:(?:ip\s+)?access-list\s+(?:extended\s+)?\S+\s+)?(?:\d+\s+)?(?P<verdict>deny|permit|allow)\s+(?P<what>\S.*)",
        filters.access_rule,
    ),
    (r"\S+\^(?:\$\S*)?|[\w.*-]+\$[\w~].*", _reported(_PART)),
    (r".*\\\..*", _reported("a regular expression")),
    (rf".*:\s*(?P<first>{_V4})\s*-\s*(?P<last>{_V4})", _peers),
    (
        rf"(?P<first>{_ADDRESS})\s{{0,4}}(?:-|\u2013|\.\.|\bto\b)\s{{0,4}}(?P<last>{_ADDRESS})(?:\s*,\s*\d+\s*,.*)?",
        _peers,
    ),
    (rf"(?P<address>{_V4})\s+(?:(?:net)?mask\s+)?(?P<mask>{_V4})", filters.masked),
    (r"(?:[\w.-]+\s*[:=]\s*)?\[(?P<entries>[^\[\]]*[\s,'\"][^\[\]]*)\],?", _entries),
)
# Those that begin otherwise; what a plain word could be taken for comes first.
_BY_WORD = (
    *_compiled(
        # Filters of browsers.
        (r"@@\|{0,2}(?:https?://)?(?P<entries>[^\s\^/$|]+).*", _exceptions),
        (r"\|\|(?P<name>[^\s\^/$|:]+)\.?\^?\*?\|?(?:\$(?P<options>\S*))?", _adblock),
        (r"\|(?:https?://)?(?P<name>[^\s\^/$|:*]+)\^?\|?", _alone),
        (r"\|.*", _reported(_PART)),
        (r"(?:\(\\\.\|\^\)|\(\^\|\\\.\)|\^\(\.\+\\\.\)\?|\^\(\.\*\\\.\)\?)(?P<name>(?:[\w-]+\\\.)+[\w-]+)\$", _whole),
        # Name servers.
        (r"(?:--)?(?P<option>address|server|local)=/(?P<names>.*)/(?P<value>[^/]*)", zones.dnsmasq_line),
        (r'local-zone:\s*"?(?P<name>[^"\s]+)"?\s+"?(?P<type>\w+)"?', zones.unbound_zone),
        (r"local-data:\s*([\"'])(?P<data>.*)\1", zones.unbound_data),
        (r"(?:--)?[a-z-]+=/.*|local-data-ptr:.*", _reported(zones.ELSEWHERE)),
        (r'zone\s+"(?P<name>[^"]+)"\s+(?:IN\s+)?\{\s*type\s+(?:master|primary)\s*;.*\};?', _whole),
        # Packet filters.
        (
            r"(?:ipset\s+)?(?:-exist\s+|-!\s+)?(?:add|-A)\s+(?!rule\s|element\s)(?P<set>[^\s=-][^\s=]*)\s+(?P<entry>[^\s=!-][^=]*)",
            filters.ipset_line,
        ),
        (r"(?:ipset\s+)?(?:create|-N|flush|destroy|swap|rename)\s+.*", _nothing),
        (r"(?:Name|Type|Revision|Header|Size in memory|References|Number of entries|Members):.*", _nothing),
        (rf"\*\w+|:\S+ \w+ \[.*|{_IPTABLES}-(?:P|N|F|X|Z)(?:\s+.*)?", _nothing),
        (rf"{_IPTABLES}(?P<rule>(?:-A|-I|--append|--insert)\s+.*)", filters.iptables_line),
        (
            r"(?P<before>[^{}]{0,100}?)\b(?:ip6?|ether)\s+[sd]addr\s+(?P<addresses>\{[^{}]*\}|@?[\w.:/-]+)(?P<after>[^{}]*)",
            filters.nftables_rule,
        ),
        (r"(?::do\s*\{\s*)?(?:/[\w -]+\s)?add\s+(?P<pairs>[\w-]+=.*)", filters.mikrotik_line),
        (r"/?(?:ip|ipv6) [a-z /-]+|(?:/[\w -]+\s)?remove\s*\[.*|:(?:do|delay|log)\b.*", _nothing),
        (r"[/^(].*", _reported("a regular expression")),
        # Routers and servers.
        (r"require\s+not\s+(?:ip|host)\s+(?P<entries>.*)", _entries),
        (r"(?:ip\s+access-list|ipv6\s+access-list|object-group|order|require|end)\b.*", _nothing),
        (r"all\s*:\s*(?P<entries>.*)", _entries),
        (rf"ip\s+route\s+(?P<address>{_V4})\s+(?P<mask>{_V4})\s+null0.*", filters.masked),
        (r"ipv6\s+route\s+(?P<entries>\S+)\s+null0.*", _entries),
        (r"(?:ip\s+(?:-[46]\s+)?route\s+add\s+)?(?:blackhole|unreachable|prohibit)\s+(?P<entries>\S+)", _entries),
        (r"(?:route\s+add\s+-(?:host|net)\s+)(?P<entries>\S+)\s+reject", _entries),
        (r"set\s+.*(?:prefix-list\s+\S+|static\s+route)\s+(?P<entries>\S+)(?:\s+discard)?", _entries),
        (r"(?:ufw\s+(?:insert\s+\d+\s+)?)(?:deny|reject)\s+from\s+(?P<entries>\S+)(?:\s+to\s+any)?", _entries),
        (r"route\s+(?P<entries>\S+)\s+(?:reject|blackhole|unreachable|prohibit);?", _entries),
        (r"set\s+.*\baddress\s+'?(?P<entries>[^\s']+)'?", _entries),
        (rf"(?:set\s+)?(?:subnet|network|network-object)\s+(?P<address>{_V4})\s+(?P<mask>{_V4})", filters.masked),
        (r"(?:network-object\s+)?host\s+(?P<entries>\S+)", _entries),
        (r"(?:config|edit|object|object-group)\s.*", _nothing),
        (
            r"block\s+(?:drop\s+|return\s+|in\s+|out\s+|quick\s+)*(?:from|to)\s+(?P<entries>\S+)(?:\s+to\s+any)?",
            _entries,
        ),
        # Proxies.
        (
            r"(?P<kind>domain|domain-suffix|host|host-suffix|ip-cidr6?)\s*,\s*(?P<what>[^,\s]*[.:][^,\s]*)(?P<rest>.*)",
            _clash,
        ),
        (r"(?:[a-z]+-)+(?:keyword|regex|name|port|asn)?\s*,.*|geoip,.*|final,.*", _reported(SOME_PACKETS)),
        (r"(?P<kind>domain|full|ip|suffix):\s*(?P<name>\S+)(?:\s+@\S+)*", _full),
        (r"(?:keyword|regexp|include):.*", _reported("a pattern, or the name of another list")),
        (r"[\w.-]+=\"(?P<entries>[^\"]*)\"", _entries),
        (r"(?P<key>[A-Za-z][\w -]{0,40}?)\s{0,4}(?::\s|=)\s{0,4}(?P<value>[^\s=]+)", _keyed),
    ),
    *_ANY,
)
