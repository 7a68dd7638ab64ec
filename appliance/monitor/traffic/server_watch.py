"""Watches who gives out addresses and who advertises itself as a router: the department's own, or a stranger.

What was heard while a department's devices were learned is saved, so that a restart does not make friends of strangers.
"""

import logging
from collections.abc import Collection, Iterable, Mapping

from appliance.core.refusal import Refused
from appliance.core.traffic.devices.server_sign import KnownServers, ServerKind, ServerSign
from appliance.ports import Store

log = logging.getLogger(__name__)


class ServerWatch:
    """The servers of all departments. `allowed`: by kind, those that the configuration names."""

    def __init__(self, departments: Iterable[str], allowed: Mapping[ServerKind, Collection[str]], store: Store) -> None:
        kept = store.known_servers()
        self._known = {one: KnownServers(allowed, kept.get(one, ())) for one in departments}
        self._store = store

    def is_stranger(self, department: str, sign: ServerSign, *, is_learning: bool) -> bool:
        """Whether the server is none of the department's; while that is learned, it becomes one."""
        known = self._known[department]
        if is_learning and known.learn(sign):
            log.info("%s: %s (%s) is taken for a %s server of its own", department, sign.address, sign.mac, sign.kind)
            try:
                self._store.save_known_server(department, sign.key)
            except Refused as refused:
                log.warning("it is known until the next start only: %s", refused.message)
        return known.is_stranger(sign)
