"""Two domains in one Hypervisor: events and grants between guests, the same on every run."""

from __future__ import annotations

import pytest

from hv import statehash
from hv.hypervisor import Hypervisor, RunResult, Stop
from tests.guests import pairs


def outcome(ran: tuple[Hypervisor, RunResult, list[str]]) -> tuple[str, int]:
    """The state hash and the number of instructions of a run in which every guest succeeded."""
    hv, result, texts = ran
    for text in texts:
        assert "Test result: SUCCESS" in text, "\n".join(texts)
    assert result.stop == Stop.SHUTDOWN and hv.audit() == ""
    return statehash.state_hash(hv), result.instructions


def run(quantum: int = 50_000, seed: int = 0, scheduler: str = "round_robin", order: str = "12") -> tuple[str, int]:
    return outcome(pairs.exchange(quantum, seed, scheduler, order))


@pytest.mark.parametrize("scheduler", ["round_robin", "credit"])
@pytest.mark.parametrize(("quantum", "seed"), [(1_000_000, 0), (777, 0), (10_000, 3)])
def test_exchange(quantum: int, seed: int, scheduler: str) -> None:
    assert run(quantum, seed, scheduler) == run(quantum, seed, scheduler)


def test_who_is_built_first_does_not_matter() -> None:
    run(order="21")


def test_a_privileged_domain_beside_others() -> None:
    assert outcome(pairs.beside()) == outcome(pairs.beside())
