"""The fuzzing guest from outside: nothing beside its own frames changes, and two runs are one run."""

import os

import pytest

from hv.testing.runner import DomainUnderTest, Options, Verdict
from tests.guests.victim import add_victim, contents

COUNT = 250_000 if os.environ.get("XENLAB_LONG_FUZZ") else 4_000
"""Calls a seed; four seeds make a million in the long form."""
SHORT = 4_000


def fuzz(seed: int, count: int) -> DomainUnderTest:
    return DomainUnderTest("fuzz", Options(cmdline=f"seed={seed} count={count}"))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_nothing_outside_changes(seed: int) -> None:
    dom = fuzz(seed, COUNT)
    victim, frames, before = add_victim(dom.hv)
    outcome = dom.run(2_000_000_000).outcome()
    assert outcome.verdict == Verdict.SUCCESS, "\n".join([outcome.console, *outcome.notes])
    assert contents(victim, frames) == before


def test_equal_runs() -> None:
    first, second = (fuzz(9, SHORT).run() for _ in range(2))
    assert first.outcome().differences(second.outcome()) == []
