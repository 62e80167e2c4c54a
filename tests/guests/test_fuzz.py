"""The fuzzing guest from outside: nothing beside its own frames changes, and two runs are one run."""

import hashlib
import os
from typing import Any

import pytest

from hv.testing.runner import DomainUnderTest, Options, Verdict

COUNT = 250_000 if os.environ.get("XENLAB_LONG_FUZZ") else 4_000
"""Calls a seed; four seeds make a million in the long form."""
SHORT = 4_000
FRAMES = 256


def fuzz(seed: int, count: int) -> DomainUnderTest:
    return DomainUnderTest("fuzz", Options(cmdline=f"seed={seed} count={count}"))


def add_victim(dom: DomainUnderTest) -> tuple[Any, list[int], bytes]:
    """Another domain with memory of its own, already shut down, so that the run does not wait for it."""
    victim = dom.hv.create_domain("victim", memory_mib=1)
    frames = list(victim.alloc_frames(FRAMES))
    assert len(frames) == FRAMES
    for frame in frames:
        victim.write(frame << 12, hashlib.sha256(str(frame).encode()).digest() * 128)
    victim.c.shut_down = 1
    return victim, frames, contents(victim, frames)


def contents(domain: Any, frames: list[int]) -> bytes:
    return hashlib.sha256(b"".join(bytes(domain.frame(frame)) for frame in frames)).digest()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_nothing_outside_changes(seed: int) -> None:
    dom = fuzz(seed, COUNT)
    victim, frames, before = add_victim(dom)
    outcome = dom.run(2_000_000_000).outcome()
    assert outcome.verdict == Verdict.SUCCESS, "\n".join([outcome.console, *outcome.notes])
    assert contents(victim, frames) == before


def test_equal_runs() -> None:
    first, second = (fuzz(9, SHORT).run() for _ in range(2))
    assert first.outcome().differences(second.outcome()) == []
