"""Which interfaces the flow table may take packets at, and whose rules keep it from existing."""

import pytest

from appliance.core.kernel.flow_offload import carriers, judges_each_packet
from appliance.core.machine import Counters, Link, Vlan


def link(
    index: int, kind: str = "", *, mac: str = "", master: str | None = None, vlan: Vlan | None = None
) -> dict[str, Link]:
    name = f"{kind or 'eth'}{index}"
    made = Link(
        name,
        index,
        mac or f"02:00:00:00:00:{index:02x}",
        "boot",
        up=True,
        counters=Counters(0, 0),
        kind=kind,
        master=master,
        vlan=vlan,
    )
    return {name: made}


PLAIN = link(1) | link(2)


def test_packets_pass_between_a_department_s_interface_and_all_others() -> None:
    assert carriers({"eth1"}, PLAIN | link(3)) == {"eth1": 1, "eth2": 2, "eth3": 3}


def test_without_a_department_s_interface_there_is_no_short_way() -> None:
    assert carriers({"eth9"}, PLAIN) == {}


def test_where_a_department_s_frames_may_pass_another_interface_there_is_none() -> None:
    assert carriers({"eth1", "macvlan3"}, PLAIN | link(3, "macvlan")) == {}


@pytest.mark.parametrize(
    "unfit",
    [
        link(7, master="bridge4") | link(4, "bridge"),
        link(7) | link(5, "vlan", vlan=Vlan("eth7", 5)),
        link(7, mac="00:00:00:00:00:00"),
        link(7, "wireguard"),
    ],
    ids=["a bridge's port", "a trunk", "no hardware address", "of another kind"],
)
def test_what_carries_the_packets_of_others_or_is_not_known_takes_none(unfit: dict[str, Link]) -> None:
    rest = {one.name for one in unfit.values() if one.kind in {"bridge", "vlan"}}
    assert carriers({"eth1"}, PLAIN | unfit).keys() == {"eth1", "eth2", *rest}


@pytest.mark.parametrize(
    ("chain", "judges"),
    [
        ({"name": "FORWARD", "type": "filter", "hook": "forward"}, True),
        ({"name": "PREROUTING", "type": "filter", "hook": "prerouting"}, True),
        ({"name": "POSTROUTING", "type": "nat", "hook": "postrouting"}, False),
        ({"name": "INPUT", "type": "filter", "hook": "input"}, False),
        ({"name": "jumped to"}, False),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else str(value),
)
def test_another_program_s_chain_that_sees_routed_packets_is_to_see_each(chain: dict[str, str], judges: bool) -> None:
    assert judges_each_packet(chain) is judges
