"""A table's layout and what is there, shared by blocks and meters."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.core.kernel.nftables.ruleset import Expression
from appliance.core.machine import Facing


@dataclass(frozen=True, slots=True)
class ExistingTable:
    """What is in the table. `objects`: by name their kinds. `rules`: by chain, as far as they are known."""

    objects: Mapping[str, str] = field(default_factory=dict)
    chains: Collection[str] = ()
    rules: Mapping[str, Sequence[Expression]] = field(default_factory=dict)


# Facing -> the direction that passes each hook.
HOOKS: Mapping[Facing, Mapping[str, tuple[str, ...]]] = {
    Facing.DEPARTMENT: {"ingress": ("up",), "egress": ("down",)},
    Facing.SELF: {"ingress": ("down",), "egress": ("up",)},
    Facing.MIRRORED: {"ingress": ("up", "down")},
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What has to be in the table. `objects`: by name their kind and properties; `chains`: theirs; `rules`: in order.

    `devices`: by base chain, the interface that it stands at.
    """

    objects: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    chains: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, list[Expression]] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)

    def without(self, chains: Collection[str]) -> "Layout":
        """The same without some chains."""
        kept = [name for name in self.chains if name not in chains]
        return replace(
            self,
            chains={name: self.chains[name] for name in kept},
            rules={name: self.rules[name] for name in kept},
            devices={name: device for name, device in self.devices.items() if name in kept},
        )

    def add_chain(self, name: str, rules: Iterable[Expression] = (), **properties: Any) -> None:
        """A chain with its rules."""
        self.chains[name] = properties
        self.rules[name] = list(rules)
