"""The fuzzing guests from outside: nothing beside their own frames changes, the books stay clean, and two runs are one
run, with snapshots or without."""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest

from hv.testing.runner import DomainUnderTest, Options, Verdict
from tests.guests.victim import add_victim, contents

LONG = bool(os.environ.get("XENLAB_LONG_FUZZ"))
SHORT = 4_000


class Fuzzer(NamedTuple):
    """A guest that makes nearly valid calls or accesses, and how many of them with each seed."""

    guest: str
    env: str
    count: int

    def start(self, seed: int, count: int) -> DomainUnderTest:
        return DomainUnderTest(self.guest, Options(env=self.env, cmdline=f"seed={seed} count={count}"))


FUZZERS = (
    Fuzzer("fuzz", "pv64", 250_000 if LONG else SHORT),
    *(
        Fuzzer(guest, env, count if LONG else 2_000)
        for guest, count in (("arm_fuzz_calls", 250_000), ("arm_fuzz_system", 500_000), ("arm_fuzz_gic", 500_000))
        for env in ("arm64", "arm32")
    ),
)
"""Four seeds make a million or two of each in the long form."""
EACH = pytest.mark.parametrize("fuzzer", FUZZERS, ids=lambda fuzzer: f"{fuzzer.guest}-{fuzzer.env}")


@EACH
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_nothing_outside_changes(fuzzer: Fuzzer, seed: int) -> None:
    dom = fuzzer.start(seed, fuzzer.count)
    victim, frames, before = add_victim(dom.hv)
    outcome = dom.run(5_000_000_000).outcome()
    assert outcome.verdict == Verdict.SUCCESS, "\n".join([outcome.console, *outcome.notes])
    assert contents(victim, frames) == before
    assert dom.hv.audit() == ""


@EACH
def test_equal_runs(fuzzer: Fuzzer) -> None:
    first, second = (fuzzer.start(9, SHORT).run() for _ in range(2))
    assert first.outcome().differences(second.outcome()) == []


@EACH
def test_snapshots_on_the_way_change_nothing(fuzzer: Fuzzer) -> None:
    """Saved in the middle, run on, brought back, and run to the same end."""
    straight, other = (fuzzer.start(7, SHORT) for _ in range(2))
    straight.run()
    other.hv.run(max_insns=straight.instructions // 2)
    middle, there = other.hv.snapshot(), other.state_hash
    other.hv.run(max_insns=straight.instructions * 2 // 3)
    other.hv.restore(middle)
    assert other.state_hash == there and other.hv.audit() == ""
    other.run()
    assert other.hv.audit() == ""
    assert (other.instructions, other.state_hash) == (straight.instructions, straight.state_hash)
