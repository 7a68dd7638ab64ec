"""A table of the packet filter, for blocks and for meters: what it has, what it should have, and the change between.

In a transaction the kernel deletes an object only when no rule names it, a chain only when no rule and no element of a
map leads there, and takes a rule only when all that it names is there. `commands` keeps that order.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.kernel.nftables.ruleset import Command, Expression, add, add_rule, identifier, skip_tags
from appliance.core.machine import Facing, Vlan, tags_on

Objects = dict[str, tuple[str, dict[str, Any]]]  # by name: kind and properties


class ExistingTable(Struct, frozen=True):
    """The table as it is. `objects`: kinds by name. `rules`: by chain, as far as they are known."""

    objects: Mapping[str, str] = field(default_factory=dict)
    chains: Collection[str] = ()
    rules: Mapping[str, Sequence[Expression]] = field(default_factory=dict)


# Facing -> hook -> the directions of the packets there.
HOOKS: Mapping[Facing, Mapping[str, tuple[str, ...]]] = {
    Facing.DEPARTMENT: {"ingress": ("up",), "egress": ("down",)},
    Facing.SELF: {"ingress": ("down",), "egress": ("up",)},
    Facing.MIRRORED: {"ingress": ("up", "down")},
}


class Layout(Struct, frozen=True):
    """The table as it should be. `objects`: kind and properties by name; `chains`: properties; `rules`: in order.

    `devices`: by base chain, its interface.
    """

    objects: Objects = field(default_factory=dict)
    chains: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, list[Expression]] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)

    def without(self, chains: Collection[str]) -> "Layout":
        """The same layout without some chains."""
        kept = [name for name in self.chains if name not in chains]
        return replace(
            self,
            chains={name: self.chains[name] for name in kept},
            rules={name: self.rules[name] for name in kept},
            devices={name: device for name, device in self.devices.items() if name in kept},
        )

    def add_chain(self, name: str, rules: Iterable[Expression] = (), **properties: Any) -> None:
        """Add a chain with its rules."""
        self.chains[name] = properties
        self.rules[name] = list(rules)

    def add_base_chain(
        self, hook: str, interface: str, priority: int, rules: Iterable[Expression], vlans: Iterable[Vlan | None]
    ) -> None:
        """Add the chain that all packets at an interface's hook pass. `vlans`: of all departments' interfaces."""
        name = identifier(hook, interface)
        skip = [skip_tags(tags)] if (tags := tags_on(interface, vlans)) else []
        at_hook = {"type": "filter", "hook": hook, "prio": priority, "dev": interface, "policy": "accept"}
        self.add_chain(name, [*skip, *rules], **at_hook)
        self.devices[name] = interface


class Edit(Struct, frozen=True):
    """What a transaction changes, by name, beside deleting the chains that are not wanted.

    `emptied`: chains that lose their rules. `deleted`, `added`: objects. `chains`: chains to add. `filled`: chains that
    get their wanted rules.
    """

    emptied: Collection[str]
    deleted: Collection[str]
    added: Objects
    chains: Collection[str]
    filled: Collection[str]


def edit_of(there: ExistingTable, wanted: Layout, moved: Objects | None = None) -> Edit:
    """The edit that makes the existing table the wanted one; chains whose rules are known and wanted stay as they are.

    `moved`: objects that change in place. New objects are added as they have it, too.
    """
    new = {name: one for name, one in wanted.objects.items() if name not in there.objects}
    filled = [name for name, rules in wanted.rules.items() if there.rules.get(name) != rules]
    return Edit(
        emptied=[name for name in there.chains if name in filled or name not in wanted.chains],
        deleted=[name for name in there.objects if name not in wanted.objects],
        added=new | (moved or {}),
        chains=[name for name in wanted.chains if name not in there.chains],
        filled=filled,
    )


def commands(table: str, there: ExistingTable, wanted: Layout, edit: Edit) -> list[Command]:
    """The transaction that makes this edit in a table of the netdev family, which it makes where it is missing."""
    netdev = {"family": "netdev", "table": table}
    removed = [name for name in there.chains if name not in wanted.chains]
    return [
        {"add": {"table": {"family": "netdev", "name": table}}},
        *({"flush": {"chain": {**netdev, "name": name}}} for name in edit.emptied),
        *({"delete": {there.objects[name]: {**netdev, "name": name}}} for name in edit.deleted),
        *({"delete": {"chain": {**netdev, "name": name}}} for name in removed),
        *(add(kind, netdev, name, **properties) for name, (kind, properties) in edit.added.items()),
        *(add("chain", netdev, name, **wanted.chains[name]) for name in edit.chains),
        *(add_rule(netdev, name, rule) for name in edit.filled for rule in wanted.rules[name]),
    ]
