"""Every rule of rules.def is broken by a guest: `python -m tests.rules_table` shows which by how many calls."""

from __future__ import annotations

from hv import abi
from tests.rules_table import broken_rules


def test_every_rule_is_broken_by_a_guest() -> None:
    counts = broken_rules(20_000)
    assert [name for name in abi.RULES if not counts[name]] == []
