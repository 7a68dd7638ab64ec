"""Runs transactions of the kernel's packet filter by libnftables, in its JSON form.

Not for large listings: a listing first reads the whole ruleset of every program, blocks included (0.2 s with 64,000
blocked addresses); the only exceptions are a single set, the chains, and one table without the elements of its sets.
"""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from ctypes import CDLL, c_char_p, c_int, c_uint, c_void_p
from pathlib import Path
from typing import Any

OWN = "appliance"  # the names of all our tables begin with it
STATUS_FILE = Path("/proc/self/status")
CAP_NET_ADMIN = 12  # linux/capability.h
LIBRARY = "libnftables.so.1"
OUTPUT_JSON = 1 << 4  # nftables/libnftables.h: NFT_CTX_OUTPUT_JSON; input is then JSON too

# What a transaction is made of that sees whether the kernel can refuse in the hooks of interfaces, and leaves nothing.
PROBE = {"family": "netdev", "table": f"{OWN}_probe"}
PROBING = (
    {"add": {"table": {"family": "netdev", "name": PROBE["table"]}}},
    {"add": {"chain": {**PROBE, "name": "probe"}}},
    {"add": {"rule": {**PROBE, "chain": "probe", "expr": [{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]}}},
    {"delete": {"table": {"family": "netdev", "name": PROBE["table"]}}},
)
# A statement as `json.dumps` writes it. No text inside a string looks like this: its quotes would be escaped.
REFUSAL, DROP = re.compile(r'\{"reject": \{[^{}]*\}\}'), '{"drop": null}'

OUTPUT_TERSE = 1 << 11  # NFT_CTX_OUTPUT_TERSE: elements of sets are neither read nor listed


log = logging.getLogger(__name__)


class FirewallUnavailable(Exception):
    """The kernel's packet filter cannot be used here; the text says what a person can do."""


class Nftables:
    """The packet filter of the network namespace in which it was made.

    A kernel without `nft_reject_netdev`, as that of Debian 12, drops what the rules refuse: nothing more passes, but
    people wait instead of seeing at once that something is forbidden.
    """

    def __init__(self) -> None:
        """Raises `FirewallUnavailable` where libnftables is missing or the packet filter may not be changed."""
        if not _may_change():  # the library would print its own line about it
            raise FirewallUnavailable("the packet filter needs root (CAP_NET_ADMIN)")
        self._library = _load_library()
        self._context = self._library.nft_ctx_new(0)
        self._can_refuse = True  # until it is seen
        self._library.nft_ctx_output_set_flags(self._context, OUTPUT_JSON)
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)
        _, refusal = self.run([{"list": {"chains": {"family": "netdev"}}}])
        if refusal is not None:
            raise FirewallUnavailable(f"the packet filter needs root (CAP_NET_ADMIN) and nf_tables: {refusal}")
        _, refusal = self.run(PROBING)
        self._can_refuse = refusal is None
        if refusal is not None:
            log.warning("This kernel has no nft_reject_netdev: blocked packets are dropped, and no answer says so.")

    def close(self) -> None:
        """Close the library's netlink socket. Nothing may be run afterwards; a program that never closes runs out of
        descriptors that the library can wait for (1,024, select(2)), and is ended by it.
        """
        self._library.nft_ctx_free(self._context)

    def run(self, commands: Sequence[Mapping[str, Any]]) -> tuple[str, str | None]:
        """Run one transaction; returns the listing as JSON, and the reason where the kernel refused all of it."""
        request = json.dumps({"nftables": commands})
        if not self._can_refuse:
            request = REFUSAL.sub(DROP, request)
        failed = self._library.nft_run_cmd_from_buffer(self._context, request.encode())
        # Reading a buffer empties it for the next run, so both are read.
        listed = self._library.nft_ctx_get_output_buffer(self._context).decode()
        reason = self._library.nft_ctx_get_error_buffer(self._context).decode()
        return listed, _first_line(reason) if failed else None

    def foreign_rules(self) -> Sequence[Mapping[str, Any]]:
        """The objects of other programs' tables that have a forward chain, without their sets' elements."""
        listed, _ = self.run([{"list": {"chains": {}}}])
        chains = [one["chain"] for one in _objects(listed) if "chain" in one]
        tables = dict.fromkeys((one["family"], one["table"]) for one in chains if one.get("hook") == "forward")
        return self._contents([(family, name) for family, name in tables if not is_own(name)])

    def own_rules(self) -> Sequence[Mapping[str, Any]]:
        """The objects of our own tables, without their sets' elements."""
        listed, _ = self.run([{"list": {"tables": {}}}])
        tables = [one["table"] for one in _objects(listed) if "table" in one]
        return self._contents([(one["family"], one["name"]) for one in tables if is_own(one["name"])])

    def _contents(self, tables: Sequence[tuple[str, str]]) -> Sequence[Mapping[str, Any]]:
        commands = [{"list": {"table": {"family": family, "name": name}}} for family, name in tables]
        self._library.nft_ctx_output_set_flags(self._context, OUTPUT_JSON | OUTPUT_TERSE)
        found = [one for command in commands for one in _objects(self.run([command])[0])]
        self._library.nft_ctx_output_set_flags(self._context, OUTPUT_JSON)
        return found

    def release(self) -> tuple[Sequence[str], str | None]:
        """Remove every table of ours; returns their names, and the reason where the kernel refused."""
        listed, refusal = self.run([{"list": {"tables": {}}}])
        if refusal is not None:
            return (), refusal
        tables = [one["table"] for one in json.loads(listed)["nftables"] if "table" in one]
        own = [one for one in tables if is_own(one["name"])]
        if not own:
            return (), None
        _, refusal = self.run([{"delete": {"table": {"family": one["family"], "name": one["name"]}}} for one in own])
        return [f"{one['family']} {one['name']}" for one in own], refusal


def is_own(table: str) -> bool:
    """Whether a table with this name is the appliance's."""
    return table == OWN or table.startswith(f"{OWN}_")


def _objects(listed: str) -> Sequence[Mapping[str, Any]]:
    return json.loads(listed)["nftables"] if listed else ()


def _may_change() -> bool:
    """Whether this process has CAP_NET_ADMIN; true where that cannot be read."""
    try:
        status = STATUS_FILE.read_text()
    except OSError:
        return True
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), None)
    return effective is None or bool(int(effective, 16) >> CAP_NET_ADMIN & 1)


def _load_library() -> CDLL:
    try:
        library = CDLL(LIBRARY)
    except OSError as error:
        raise FirewallUnavailable(f"{LIBRARY} is missing ({error}); on Debian: apt install libnftables1") from None
    for name, result, arguments in (
        ("nft_ctx_new", c_void_p, [c_uint]),
        ("nft_ctx_free", None, [c_void_p]),
        ("nft_ctx_output_set_flags", None, [c_void_p, c_uint]),
        ("nft_ctx_buffer_output", c_int, [c_void_p]),
        ("nft_ctx_buffer_error", c_int, [c_void_p]),
        ("nft_run_cmd_from_buffer", c_int, [c_void_p, c_char_p]),
        ("nft_ctx_get_output_buffer", c_char_p, [c_void_p]),
        ("nft_ctx_get_error_buffer", c_char_p, [c_void_p]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _first_line(reason: str) -> str:
    # The rest repeats the command and underlines the fault.
    line = next((line for line in reason.splitlines() if line.strip()), "no reason was given")
    return line.split("Error: ")[-1]
