"""Transactions of the packet filter, on a kernel that cannot refuse."""

import json

from appliance.core.kernel.nftables.ruleset import refuse_chain
from appliance.system.nftables.libnftables import DROP, REFUSAL


def test_where_the_kernel_cannot_refuse_each_refusal_becomes_a_drop_and_nothing_else_changes() -> None:
    refused = refuse_chain({"counter": None})
    rules = json.loads(REFUSAL.sub(DROP, json.dumps(refused)))
    assert [rule[-1] for rule in refused] == [
        {"accept": None},
        {"reject": {"type": "tcp reset"}},
        {"reject": {"type": "icmpx", "expr": "admin-prohibited"}},
    ]
    assert [rule[-1] for rule in rules] == [{"accept": None}, {"drop": None}, {"drop": None}]
    assert [rule[:-1] for rule in rules] == [list(rule[:-1]) for rule in json.loads(json.dumps(refused))]


def test_a_text_that_looks_like_a_refusal_stays_as_it_is() -> None:
    comment = json.dumps({"comment": '{"reject": {"type": "tcp reset"}}'})
    assert REFUSAL.sub(DROP, comment) == comment
