"""Eight departments of a hospital, each in another condition, for a simulated service that a browser looks at.

The first has the scenario's scan and orders, the last its unplugged cable (`appliance/simulator/scenario.py`).
"""

HTML = "Human <b onmouseover=alert(1)>Resources</b> \u202eevil"  # markup, and text that turns its direction
LONGEST = "Facilities " + "m" * 189  # as long as the configuration lets a name be

# id, name, interface, network, quota
_DEPARTMENTS = (
    ("laboratory", "Laboratory", "eth0.40", 1, 'daily = "40 GB"\nmonthly = "400 GB"'),
    ("finance", "Finance", "eth2", 2, 'daily = "100 kB"\non_exceeded = "block"'),
    ("radiology", "Radiology", "eth1", 3, 'daily = "2 GB"\nweekly = "60 GB"\non_exceeded = "block"'),
    ("library", "Library & Archive", "eth3", 4, ""),
    ("guest", "Guest Wi-Fi", "eth0.90", 5, 'daily = "80 GB"\n[departments.quota.hosts]\ndaily = "10 GB"'),
    ("registry", "Registry", "eth0.50", 6, 'daily = "100 kB"\non_exceeded = "throttle"\nthrottle_rate = "1 Mbit"'),
    ("hr", HTML, "eth0.60", 7, 'daily = "10 GB"'),
    ("facilities", LONGEST, "eth0.70", 8, 'daily = "5 GB"'),
)
IDS = tuple(one[0] for one in _DEPARTMENTS)
NAMES = tuple(one[1] for one in _DEPARTMENTS)


def _department(found: tuple[str, str, str, int, str]) -> str:
    identity, name, interface, network, quota = found
    text = f"""
[[departments]]
id = "{identity}"
name = "{name}"
interface = "{interface}"
subnets = ["192.168.{network}.0/24"]
line_rate = "250 Mbit"
"""
    return f"{text}[departments.quota]\n{quota}\n" if quota else text


CONFIG = """\
[appliance]
position = "gateway"
timezone = "Europe/Berlin"

[periods]
metering = 1
analytics = 1
health = 1

[[notifications.mail]]
name = "it"
server = "127.0.0.1"
port = 9
seal = "none"
sender = "appliance@example.org"
recipients = ["it@example.org"]

[[notifications.rules]]
channels = ["it"]
events = ["system:maintenance"]  # which is never grave enough: the receiver is not there, and no view is to say so

[notice]
contact = "Ms Example, extension 42"
""" + "".join(map(_department, _DEPARTMENTS))
# What somebody has blocked, of each kind of target; for a department, or for all.
BLOCKS = (
    {"address": "192.168.2.64/26", "departmentId": "finance", "duration": 720, "reason": "Exam room, no network"},
    {"address": "203.0.113.0/24", "duration": 12_480, "reason": "Brute force on the VPN"},
    {"address": "tiktok.com", "departmentId": "library", "reason": "Not for work"},
    {"address": "02:00:5e:10:00:01", "departmentId": "guest", "reason": "Asked to leave"},
)
PROTECTED = "198.51.100.7"  # by the configuration that `Simulated` begins with
