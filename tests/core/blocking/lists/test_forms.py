"""The forms in which lists are published: what each line blocks, and the lines of which something is not used."""

import gzip

import pytest

from appliance.core.blocking.lists.list_contents import LARGEST_BYTES
from appliance.core.blocking.lists.parser import parse_list

# Form -> text, targets, numbers of the lines that are reported.
FORMS: dict[str, tuple[str, str, list[int]]] = {
    "plain": (
        "10.0.0.5\n10.1.0.0/16 # net\n2001:DB8::1",
        "10.0.0.5 10.1.0.0/16 2001:db8::1",
        [],
    ),
    "hostbits": (
        "10.0.0.5/24",
        "10.0.0.0/24",
        [],
    ),
    "range spaces": (
        "10.0.0.0 - 10.0.0.3",
        "10.0.0.0/30",
        [],
    ),
    "range": (
        "10.0.0.0-10.0.0.3",
        "10.0.0.0/30",
        [],
    ),
    "range short": (
        "10.0.0.0-3",
        "10.0.0.0/30",
        [],
    ),
    "netmask": (
        "10.0.0.0 255.255.255.0\n10.1.0.0/255.255.0.0\n10.2.0.0/0.0.0.255",
        "10.0.0.0/24 10.1.0.0/16 10.2.0.0/24",
        [],
    ),
    "stars": (
        "10.0.0.*\n10.1.*.*\n10.*",
        "10.0.0.0/24 10.1.0.0/16 10.0.0.0/8",
        [],
    ),
    "hosts": (
        "0.0.0.0 a.example b.example # x\n127.0.0.1\tc.example\n::1 localhost",
        "=a.example =b.example =c.example",
        [],
    ),
    "dnsmasq": (
        "address=/a.example/b.example/0.0.0.0\n"
        "server=/c.example/\n"
        "local=/d.example/\n"
        "address=/e.example/\n"
        "address=/f.example/192.168.1.1\n"
        "server=/g.example/9.9.9.9\n"
        "address=/h.example/::\n"
        "server=/ok.example/#",
        "a.example b.example c.example d.example e.example h.example",
        [5, 6, 8],
    ),
    "unbound": (
        "server:\n"
        'local-zone: "a.example" always_nxdomain\n'
        'local-zone: "b.example." redirect\n'
        'local-data: "b.example A 0.0.0.0"\n'
        'local-data: "c.example. 3600 IN A 127.0.0.1"\n'
        'local-zone: "d.example" transparent',
        "a.example b.example =c.example",
        [6],
    ),
    "rpz": (
        "$TTL 60\n"
        "@ SOA localhost. root.localhost. (\n"
        " 1 ; serial\n"
        " 2\n"
        " 3 4 5 )\n"
        "  NS localhost.\n"
        "a.example CNAME .\n"
        "*.a.example CNAME .\n"
        "b.example 60 IN CNAME *.\n"
        "c.example CNAME rpz-passthru.\n"
        "32.1.2.0.10.rpz-ip CNAME .\n"
        "24.0.3.0.10.rpz-ip CNAME .\n"
        "128.1.zz.db8.2001.rpz-ip CNAME .\n"
        "; comment\n"
        "d.example A 0.0.0.0\n"
        "e.example A 10.0.0.1",
        "a.example =b.example 10.0.2.1 10.0.3.0/24 2001:db8::1 =d.example",
        [4, 10, 16],
    ),
    "adblock": (
        "[Adblock Plus 2.0]\n"
        "! t\n"
        "||a.example^\n"
        "||b.example^$third-party\n"
        "||c.example^$important\n"
        "@@||d.example^\n"
        "||d.example^\n"
        "||x.d.example^\n"
        "e.example##.ad\n"
        "||f.example/path^\n"
        "|g.example^\n"
        "||10.0.0.5^\n"
        "||*.h.example^\n"
        "/ads[0-9]+/\n"
        "||bad*.example^\n"
        "##.banner",
        "a.example c.example =g.example 10.0.0.5 *.h.example",
        [4, 6, 9, 10, 14, 15],
    ),
    "dot": (
        ".a.example\n*.b.example\n+.c.example",
        "a.example *.b.example c.example",
        [],
    ),
    "ipset": (
        "create bad hash:ip family inet hashsize 1024 maxelem 65536\n"
        "add bad 10.0.0.1\n"
        'add bad 10.0.0.0/24 timeout 60 comment "x y"\n'
        "add bad 10.0.1.1,tcp:80\n"
        "add bad 10.3.0.0/16 nomatch\n"
        "-A bad 10.0.0.9",
        "10.0.0.1 10.0.0.0/24 10.0.0.9",
        [4, 5],
    ),
    "ipset list": (
        "Name: bad\n"
        "Type: hash:ip\n"
        "Revision: 5\n"
        "Header: family inet\n"
        "Size in memory: 300\n"
        "References: 1\n"
        "Number of entries: 2\n"
        "Members:\n"
        "10.0.0.1 timeout 3599\n"
        "10.0.0.2 packets 0 bytes 0",
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "nft": (
        "table inet f {\n"
        " set bad {\n"
        " type ipv4_addr; flags interval\n"
        ' elements = { 10.0.0.1 comment "a, b", 10.0.0.2 timeout 1h expires 5m,\n'
        " 10.0.1.0-10.0.1.3 }\n"
        " }\n"
        " set allowlist { type ipv4_addr; elements = { 10.9.9.9 } }\n"
        " chain input {\n"
        " type filter hook input priority filter; policy accept;\n"
        " ip saddr 10.0.0.7 drop\n"
        " ip saddr { 10.0.0.8, 10.0.0.9 } counter packets 1 bytes 2 drop\n"
        " ip saddr @bad drop\n"
        " ip saddr 10.0.0.10 accept\n"
        " tcp dport 22 ip saddr 10.0.0.11 drop\n"
        " ct state established accept\n"
        " }\n"
        "}\n"
        "define evil = { 10.5.0.1 }\n"
        "add rule inet f input ip6 saddr 2001:db8::/32 reject",
        "10.0.0.1 10.0.0.2 10.0.1.0/30 10.0.0.7 10.0.0.8 10.0.0.9 10.5.0.1 2001:db8::/32",
        [7, 13, 14, 15],
    ),
    "iptables": (
        "*filter\n"
        ":INPUT ACCEPT [0:0]\n"
        "-A INPUT -s 10.0.0.1/32 -j DROP\n"
        "-A INPUT -s 10.0.0.2/32 -p tcp -m tcp --dport 22 -j REJECT\n"
        '[1:2] -A INPUT -s 10.0.0.0/255.255.0.0 -i eth0 -m comment --comment "a b" -j DROP\n'
        "iptables -I INPUT 1 -d 10.0.0.3 -j REJECT --reject-with icmp-port-unreachable\n"
        "-A INPUT -m iprange --src-range 10.1.0.0-10.1.0.3 -j DROP\n"
        "-A INPUT -s 10.0.0.9 -j ACCEPT\n"
        "-A INPUT ! -s 10.0.0.8 -j DROP\n"
        "-A INPUT -m mac --mac-source 02:00:00:00:00:01 -j DROP\n"
        "COMMIT",
        "10.0.0.1 10.0.0.0/16 10.0.0.3 10.1.0.0/30 02:00:00:00:00:01",
        [4, 8, 9],
    ),
    "mikrotik": (
        "/ip firewall address-list\n"
        "remove [find list=bad]\n"
        'add list=bad address=10.0.0.1 comment="x y" timeout=1d\n'
        "add address=10.0.0.0-10.0.0.3 list=bad\n"
        "add list=bad address=10.9.0.1 disabled=yes\n"
        "/ip firewall address-list add list=bad address=10.0.1.0/24\n"
        ":do { add list=bad address=10.0.2.1 } on-error={}\n"
        "add address=10.0.3.1 comment=\\\n"
        '    "long" list=bad\n'
        "add list=whitelist address=10.0.4.1\n"
        "/ip dns static\n"
        "add name=a.example address=0.0.0.0\n"
        "add name=b.example type=NXDOMAIN match-subdomain=yes",
        "10.0.0.1 10.0.0.0/30 10.0.1.0/24 10.0.2.1 10.0.3.1 =a.example b.example",
        [5, 10],
    ),
    "json array": (
        '["10.0.0.1", "10.0.0.2/32",\n "a.example"]',
        "10.0.0.1 10.0.0.2 a.example",
        [],
    ),
    "json lines": (
        '{"cidr":"10.0.0.0/24","sblid":"SBL1"}\n{"cidr":"10.1.0.0/24"}\n{"type":"metadata","size":2}',
        "10.0.0.0/24 10.1.0.0/24",
        [],
    ),
    "json wrap": (
        '{"meta":{"count":2,"sources":["evil.example"]},"data":[{"ipAddress":"10.0.0.1","tags":["x.example"]},{"ipAddress":"10.0.0.2"}],"allow":["10.0.0.3"]}',
        "10.0.0.1 10.0.0.2",
        [1],
    ),
    "aws": (
        '{"syncToken":"1","prefixes":[{"ip_prefix":"10.0.0.0/24","region":"x"}],"ipv6_prefixes":[{"ipv6_prefix":"2001:db8::/32"}]}',
        "10.0.0.0/24 2001:db8::/32",
        [],
    ),
    "json strings": (
        '{\n "hooks": ["10.0.0.0/24"],\n "web": ["10.1.0.0/24"]}',
        "10.0.0.0/24 10.1.0.0/24",
        [],
    ),
    "json keyed": (
        '{"10.0.0.1": {"n": 1}, "10.0.0.2": {"n": 2}}',
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "csv semicolon": (
        "10.0.0.1;malware;2024\n10.0.0.2;x;y",
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "csv header later": (
        'first_seen,dst_ip,port\n2024-12-15 10:00:00,10.0.0.1,443\n"2024","10.0.0.2","80"',
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "csv # header": (
        '# abuse\n# "first_seen_utc","dst_ip","dst_port"\n"2024-12-15","10.0.0.1","443"',
        "10.0.0.1",
        [],
    ),
    "csv later nohead": (
        "2024-12-15,10.0.0.1,malware\n1,10.0.0.2,x",
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "tsv": (
        "Start\tEnd\tNetmask\n10.0.0.0\t10.0.0.255\t24",
        "10.0.0.0/24",
        [],
    ),
    "ipsum": (
        "# x\n10.0.0.1\t10\n10.0.0.2\t9",
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "several": (
        "10.0.0.1 10.0.0.2 10.0.0.3\n10.0.1.1, 10.0.1.2\n10.0.2.1;10.0.2.2\na.example b.example",
        "10.0.0.1 10.0.0.2 10.0.0.3 10.0.1.1 10.0.1.2 10.0.2.1 10.0.2.2 a.example b.example",
        [],
    ),
    "comments": (
        "10.0.0.1 // x\n10.0.0.2 ; y\n10.0.0.3 # z\n// c\n! d\n-- e",
        "10.0.0.1 10.0.0.2 10.0.0.3",
        [],
    ),
    "urls": (
        "http://a.example/evil.exe\n"
        "https://b.example\n"
        "hxxp://c[.]example/x\n"
        "http://10.0.0.1:8080/x\n"
        "http://u@d.example/",
        "=a.example =b.example =c.example 10.0.0.1 =d.example",
        [1, 3, 4],
    ),
    "ports": (
        "10.0.0.1:8080\n[2001:db8::1]:443\n[2001:db8::2]\na.example:443",
        "10.0.0.1 2001:db8::1 2001:db8::2 a.example",
        [1, 2, 4],
    ),
    "mac": (
        "02-00-5E-10-00-01\n0200.5e10.0001\n02:00:5e:10:00:02",
        "02:00:5e:10:00:01 02:00:5e:10:00:02",
        [],
    ),
    "idn": (
        "Straße.example\nBÜCHER.example.\n*.bücher.example",
        "xn--strae-oqa.example xn--bcher-kva.example",
        [],
    ),
    "cisco": (
        "access-list 10 deny 10.0.0.0 0.0.0.255\n"
        "deny ip host 10.0.1.1 any\n"
        "permit ip any any\n"
        "ip route 10.2.0.0 255.255.0.0 Null0\n"
        "deny tcp host 10.9.0.1 any eq 80",
        "10.0.0.0/24 10.0.1.1 10.2.0.0/16",
        [3, 5],
    ),
    "nginx": (
        "deny 10.0.0.1;\ndeny 10.1.0.0/16;\nallow 10.2.0.1;\ndeny all;",
        "10.0.0.1 10.1.0.0/16",
        [3, 4],
    ),
    "apache": (
        "Order Allow,Deny\nDeny from 10.0.0.1 10.0.0.2\nRequire not ip 10.0.0.3",
        "10.0.0.1 10.0.0.2 10.0.0.3",
        [],
    ),
    "hosts.deny": (
        "ALL: 10.0.0.1, 10.0.0.2\nsshd: 10.0.0.3",
        "10.0.0.1 10.0.0.2",
        [2],
    ),
    "peerguardian": (
        "Some Org, Inc:10.0.0.0-10.0.0.3\n010.000.001.000 - 010.000.001.003 , 000 , Some org",
        "10.0.0.0/30 10.0.1.0/30",
        [],
    ),
    "yaml": (
        "bad:\n  - 10.0.0.1\n  - '10.0.0.2'\npayload:\n  - DOMAIN-SUFFIX,a.example\n  - '+.b.example'\nip: 10.0.0.3",
        "10.0.0.1 10.0.0.2 a.example b.example 10.0.0.3",
        [],
    ),
    "clash": (
        "DOMAIN-SUFFIX,a.example,REJECT\n"
        "DOMAIN,b.example\n"
        "IP-CIDR,10.0.0.0/24,no-resolve\n"
        "DOMAIN-KEYWORD,ad\n"
        "DOMAIN-SUFFIX,c.example,DIRECT",
        "a.example =b.example 10.0.0.0/24",
        [4, 5],
    ),
    "v2ray": (
        "domain:a.example\nfull:b.example\nregexp:x\nkeyword:ad",
        "a.example =b.example",
        [3, 4],
    ),
    "bind": (
        'zone "a.example" { type master; notify no; file "null.zone"; };',
        "a.example",
        [],
    ),
    "pf": (
        "table <bad> persist { 10.0.0.1, 10.0.0.2 }\nblock drop in quick from 10.0.0.3 to any",
        "10.0.0.1 10.0.0.2 10.0.0.3",
        [],
    ),
    "routes": (
        "blackhole 10.0.0.0/24\nip route add unreachable 10.1.0.0/24",
        "10.0.0.0/24 10.1.0.0/24",
        [],
    ),
    "cr": (
        "10.0.0.1\r10.0.0.2\r\n10.0.0.3",
        "10.0.0.1 10.0.0.2 10.0.0.3",
        [],
    ),
    "regex": (
        "(\\.|^)a\\.example$\n^ads[0-9]",
        "a.example",
        [2],
    ),
    "quotes": (
        '\'10.0.0.1\',\n"10.0.0.2",\n"a.example"',
        "10.0.0.1 10.0.0.2 a.example",
        [],
    ),
    "upper dots": (
        "A.EXAMPLE.\n10.0.0.1.",
        "a.example 10.0.0.1",
        [],
    ),
    "zone id": (
        "fe80::1%eth0",
        "",
        [1],
    ),
    "defang": (
        "10[.]0[.]0[.]1\na[.]example",
        "10.0.0.1 a.example",
        [],
    ),
    "asn": (
        "AS1234",
        "",
        [1],
    ),
    "own hosts": (
        "192.168.1.1 router\n192.168.1.2 nas.lan",
        "",
        [1, 2],
    ),
    "email": (
        "a@b.example",
        "",
        [1],
    ),
    "pipe": (
        "10.0.0.1|x|y\n1|10.0.0.2|z",
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "octal": (
        "010.0.0.1",
        "",
        [1],
    ),
    "alienvault": (
        "10.0.0.1#4#2#Malicious Host#US##0,0#3",
        "10.0.0.1",
        [],
    ),
    "spamhaus": (
        "; Spamhaus DROP\n1.10.16.0/20 ; SBL256894",
        "1.10.16.0/20",
        [],
    ),
    "tabs hosts": (
        "0.0.0.0\t\ta.example",
        "=a.example",
        [],
    ),
    "py list": (
        "['10.0.0.1', '10.0.0.2']",
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "toml": (
        'ips = [\n  "10.0.0.1",\n  "10.0.0.2"\n]\nx = ["10.0.0.3", "10.0.0.4"]\ny: [10.0.0.5, 10.0.0.6]',
        "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6",
        [],
    ),
    "shell": (
        'IPS="10.0.0.1 10.0.0.2"',
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "neg": (
        "10.0.0.0/8\n!10.1.0.0/16",
        "10.0.0.0/8",
        [2],
    ),
    "bird": (
        "route 10.0.0.0/24 reject;",
        "10.0.0.0/24",
        [],
    ),
    "forti": (
        'config firewall address\nedit "x"\nset subnet 10.0.0.0 255.255.255.0\nnext\nend',
        "10.0.0.0/24",
        [],
    ),
    "asa": (
        "object network x\n host 10.0.0.1\n subnet 10.1.0.0 255.255.0.0",
        "10.0.0.1 10.1.0.0/16",
        [],
    ),
    "vyos": (
        "set firewall group address-group bad address '10.0.0.1'",
        "10.0.0.1",
        [],
    ),
    "prefix of wrappers": (
        "10.0.0.\n10.",
        "10.0.0.0/24 10.0.0.0/8",
        [],
    ),
    "csvrange": (
        "10.0.0.0-10.0.0.3,malware\nAS12,10.0.1.0/24",
        "10.0.0.0/30 10.0.1.0/24",
        [],
    ),
    "kv": (
        "ip: 10.0.0.1\nip=10.0.0.2",
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "mixcsv": (
        "10.0.0.5,evil,10.0.0.6\nip-x,domain\n",
        "10.0.0.5",
        [1, 2],
    ),
    "badcsv": (
        "10.0.0.256,malware\n10.0.0.1,10.0.0.256",
        "10.0.0.1",
        [1, 2],
    ),
    "hdr both": (
        "domain,ip,x\na.example,10.0.0.1,y",
        "a.example",
        [1],
    ),
    "geo": (
        "network,geoname_id\n10.0.0.0/24,1\n10.0.1.0/24,2",
        "10.0.0.0/24 10.0.1.0/24",
        [],
    ),
    "start_end csv": (
        "start_ip,end_ip,cc\n10.0.0.0,10.0.0.255,US",
        "10.0.0.0/24",
        [],
    ),
    "mask csv": (
        "network;netmask\n10.0.0.0;255.255.255.0",
        "10.0.0.0/24",
        [],
    ),
    "mapped": (
        "::ffff:10.0.0.1\n::ffff:10.0.0.0/120\n2001:db8::5/64\n2001:db8::-2001:db8::3",
        "10.0.0.1 10.0.0.0/24 2001:db8::/64 2001:db8::/126",
        [],
    ),
    "v6 long": (
        "2001:0DB8:0000:0000:0000:0000:0000:0001",
        "2001:db8::1",
        [],
    ),
    "two words": (
        "10.0.0.1 10.0.0.9 24\n10.0.0.1 a.example\na.example 10.0.0.1\n10.0.0.0 24",
        "",
        [1, 2, 3, 4],
    ),
    "json obj lines": (
        '{\n"ip": "10.0.0.1"\n}',
        "10.0.0.1",
        [],
    ),
    "json lines arr": (
        '["10.0.0.1"]\n["10.0.0.2"]',
        "10.0.0.1 10.0.0.2",
        [],
    ),
    "stevenblack": (
        "127.0.0.1 localhost\n"
        "127.0.0.1 localhost.localdomain\n"
        "255.255.255.255 broadcasthost\n"
        "::1 ip6-localhost\n"
        "fe80::1%lo0 localhost\n"
        "ff02::1 ip6-allnodes\n"
        "0.0.0.0 0.0.0.0\n"
        "0.0.0.0 a.example",
        "=a.example",
        [],
    ),
    "hosts bad": (
        "0.0.0.0 a.example bad_host nodot b.example",
        "=a.example =b.example",
        [1, 1],
    ),
    "wild": (
        "*a.example\na.*\n*.a.example.\n*",
        "*.a.example",
        [1, 2, 4],
    ),
    "bare /": (
        "/a.example/",
        "",
        [1],
    ),
    "space cidr": (
        "10.0.0.0 / 24",
        "",
        [1],
    ),
    "cidr24w": (
        "10.0.0.0/24 some comment",
        "",
        [1],
    ),
    "nft map": (
        "add element inet f bad { 10.0.0.1 . 80, 10.0.0.2 : drop, 10.0.0.3 : accept }",
        "10.0.0.2",
        [1, 1],
    ),
    "csv semicolon hdr": (
        "id;ip;name\n1;10.0.0.1;x",
        "10.0.0.1",
        [],
    ),
    "nbsp": (
        "10.0.0.1\xa0\n\u200b10.0.0.2\u200b\n10.0.0.3\ufeff",
        "10.0.0.1 10.0.0.2 10.0.0.3",
        [],
    ),
    "endash": (
        "10.0.0.1 \u2013 10.0.0.3",
        "10.0.0.1 10.0.0.2/31",
        [],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_read_whole_and_what_is_not_used_is_reported(form: str) -> None:
    text, targets, faults = FORMS[form]
    contents = parse_list(text.encode())
    assert contents.trouble is None
    assert list(contents.targets) == targets.split()
    assert [fault.line for fault in contents.faults] == faults


LIST = "# a list\n10.0.0.1\nbad.example\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_and_line_end_gives_the_same_list(encoding: str, end: str) -> None:
    contents = parse_list(LIST.replace("\n", end).encode(encoding))
    assert (contents.targets, contents.fault_count) == (("10.0.0.1", "bad.example"), 0)


def test_a_list_that_is_packed_is_unpacked_also_in_several_pieces() -> None:
    packed = gzip.compress(b"10.0.0.1\n", mtime=0) + gzip.compress(b"10.0.0.2\n")
    assert parse_list(packed).targets == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"<!DOCTYPE html><html><body>10.0.0.1</body></html>", "HTML"),
        (b"\n  <div>Sign in, please</div>\n10.0.0.1\n", "HTML"),
        (b"404 page not found <html>\n10.0.0.1\n", "HTML"),
        (b"<?xml version='1.0'?><rss>10.0.0.1</rss>", "XML"),
        (gzip.compress(b"10.0.0.1\n" * 1000, mtime=0)[:-9], "ends in the middle"),
        (gzip.compress(b"10.0.0.1\n", mtime=0)[:6] + b"\xff" * 30, "damaged"),
        (gzip.compress(bytes(LARGEST_BYTES + 1), mtime=0), "larger than"),
        (b"PK\x03\x04 10.0.0.1", "binary"),
        (b"10.0.0.1\n\x00\x01\x02 10.0.0.2\n", "binary"),
        ("10.0.0.1\n".encode("utf-16")[:-1], "middle of a character"),
        (b'["10.0.0.1", "10.0.0.2"', "ends in the middle"),
        (b'["10.0.0.1", "10.0.0.', "ends in the middle"),
        (b'{"data": ["10.0.0.1"}', "broken"),
        (b"[" * 100_000, "nested"),
    ],
)
def test_what_is_no_list_is_told_and_gives_no_entry(content: bytes, trouble: str) -> None:
    contents = parse_list(content)
    assert contents.targets == ()
    assert trouble in (contents.trouble or "")


def test_a_fault_says_why_without_repeating_the_line() -> None:
    secret = "root:$6$hunter2:19000:0:99999:7:::"
    for line in (
        secret,
        f"0.0.0.0 {secret}",
        f"{secret} {secret}",
        f'{{"ip": "{secret}"}}',
        f"||{secret}^",
        f"1,{secret}",
    ):
        contents = parse_list(line.encode())
        assert contents.targets == ()
        assert contents.fault_count
        assert not [one for one in contents.faults if "hunter" in one.why]
    assert "hunter" not in (parse_list(f'["{secret}'.encode()).trouble or "")


def test_an_exception_takes_out_its_own_and_lower_entries_and_leaves_wider_ones() -> None:
    contents = parse_list(b"||a.example^\n||x.b.example^\n||good.a.example^\n@@||b.example^\n@@||good.a.example^\n")
    assert (contents.targets, contents.fault_count, contents.meaningless) == (("a.example",), 2, 0)


def test_a_name_that_is_listed_alone_and_with_all_below_it_is_one_entry() -> None:
    assert parse_list(b"0.0.0.0 a.example\n*.a.example\n0.0.0.0 b.example\nb.example\n").targets == (
        "a.example",
        "b.example",
    )
