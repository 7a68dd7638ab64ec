"""Recently seen devices: a bounded table with the latest time at which each was active."""

WINDOW_S = 300.0  # the contract's "last 5 minutes"
MOST_TRACKED = 4096  # a /20 full of devices, about 0.6 MB; beyond it the device that was quiet for longest is forgotten


class Presence:
    """Distinct devices, by MAC or IP address, with the time of their latest activity; `now_s` is monotonic."""

    def __init__(self, most: int = MOST_TRACKED) -> None:
        self._most = most
        self._seen_s: dict[str, float] = {}  # the latest last

    def mark_seen(self, device: str, now_s: float) -> None:
        """Record that the device is active now."""
        self._seen_s.pop(device, None)
        self._seen_s[device] = now_s
        if len(self._seen_s) > self._most:
            del self._seen_s[next(iter(self._seen_s))]

    def count(self, now_s: float) -> int:
        """The number of distinct devices seen within the window."""
        return len(self.present(now_s))

    def present(self, now_s: float) -> frozenset[str]:
        """The devices that were seen within the window."""
        while self._seen_s and next(iter(self._seen_s.values())) < now_s - WINDOW_S:
            del self._seen_s[next(iter(self._seen_s))]
        return frozenset(self._seen_s)
