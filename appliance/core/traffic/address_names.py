"""The names that addresses stood for, by the device that had asked: which site a connection without a name is for."""

from collections import OrderedDict
from typing import NamedTuple, TypeVar

from appliance.core.traffic.dns import DnsAnswer

KEPT_S = 3600.0  # programs keep an answer for longer than its TTL, and connections for longer than answers
MOST_ADDRESSES = 4096  # of a department, each for one device; 1 MB
MOST_NAMES = 4096  # that devices have looked up; 1 MB
ValueT = TypeVar("ValueT")
MOST_FOR_ONE = 3  # names of one address that are remembered: connections begin right after their look-up
ANYBODY = ""  # a device that only asks a name server in its own network is not heard asking


class _Learned(NamedTuple):
    """A name, and when it was looked up first and last."""

    name: str
    first_s: float
    latest_s: float


class AddressNames:
    """What one department's devices have looked up; the oldest gives way."""

    def __init__(self) -> None:
        self._names: OrderedDict[tuple[str, str], tuple[_Learned, ...]] = OrderedDict()
        self._asked_s: OrderedDict[tuple[str, str], float] = OrderedDict()

    def learn(self, device: str, answer: DnsAnswer, now_s: float) -> None:
        """Remember what the device asked for and the addresses that it was given."""
        _put(self._asked_s, (device, answer.name), now_s, MOST_NAMES)
        for address in answer.addresses:
            for one in (ANYBODY, device):
                former = self._names.get((one, address), ())
                first_s = next((known.first_s for known in former if known.name == answer.name), now_s)
                others = [known for known in former if known.name != answer.name]
                latest = (_Learned(answer.name, first_s, now_s), *others[: MOST_FOR_ONE - 1])
                _put(self._names, (one, address), latest, MOST_ADDRESSES)

    def name_of(self, device: str, address: str, at_s: float) -> str:
        """The latest name that the device had been given this address for at that time, else any device.

        Empty where there is none.
        """
        for one in (device, ANYBODY):
            for known in self._names.get((one, address), ()):
                if known.first_s <= at_s <= known.latest_s + KEPT_S:
                    return known.name
        return ""

    def has_asked(self, device: str, name: str, now_s: float) -> bool:
        """Whether the device has looked this name up."""
        return now_s - self._asked_s.get((device, name), float("-inf")) <= KEPT_S


def _put(into: OrderedDict[tuple[str, str], ValueT], key: tuple[str, str], value: ValueT, most: int) -> None:
    into.pop(key, None)  # so that the oldest is always first
    into[key] = value
    if len(into) > most:
        into.popitem(last=False)
