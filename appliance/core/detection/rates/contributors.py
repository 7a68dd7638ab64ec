"""Contributors: which host carried most in the last minutes."""

PART_S = 120.0  # two parts are looked at: two to four minutes, as long as what is told has lasted
MOST_HOSTS = 1024  # in a part; 100 kB. A network has fewer, and forged sources must not fill the memory


class Contributors:
    """Adds up the bytes of each host of a department; `now_s` is monotonic."""

    __slots__ = ("_began_s", "_former", "_former_s", "_hosts")

    def __init__(self) -> None:
        self._hosts: dict[str, list[int]] = {}
        self._former: dict[str, list[int]] = {}
        self._began_s: float | None = None
        self._former_s = 0.0  # how long the former part lasted

    def add(self, host: str, up_bytes: int, down_bytes: int, now_s: float) -> None:
        """Adds what a host sent and received."""
        if self._began_s is None:
            self._began_s = now_s
        elif now_s - self._began_s >= PART_S:
            self._former, self._former_s = self._hosts, now_s - self._began_s
            self._hosts, self._began_s = {}, now_s
        total = self._hosts.get(host)
        if total is not None:
            total[0] += up_bytes
            total[1] += down_bytes
        elif len(self._hosts) < MOST_HOSTS:
            self._hosts[host] = [up_bytes, down_bytes]

    def most(self, is_up: bool, now_s: float) -> tuple[str, float] | None:
        """The host with most bytes in this direction, and its bytes per second; `None`: nothing is known of hosts."""
        place = 0 if is_up else 1
        totals = {host: total[place] for host, total in self._hosts.items()}
        for host, total in self._former.items():
            totals[host] = totals.get(host, 0) + total[place]
        if not totals or self._began_s is None:
            return None
        host = max(totals, key=totals.__getitem__)
        return (host, totals[host] / max(1.0, now_s - self._began_s + self._former_s)) if totals[host] else None
