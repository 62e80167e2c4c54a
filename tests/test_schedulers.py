"""Schedulers: turns, fairness, reproducible variation. Time is advanced by hand, as the run loop would."""

from __future__ import annotations

import pytest

from hv.native import lib
from hv.sched import SCHEDULERS, Scheduler, make_scheduler
from tests.hypercalls.lab import Lab

QUANTUM = 1000


@pytest.fixture
def lab() -> Lab:
    return Lab()


def turn(lab: Lab, scheduler: Scheduler, use: int | None = None) -> tuple[int, int] | None:
    """One turn: the slot and how long it may run; `use` instructions of it are retired (all by default)."""
    scheduler.enter(lab.native)
    slot = scheduler.pick(lab)
    if slot is None:
        return None
    budget = scheduler.budget(lab, slot)
    ran = budget if use is None else min(use, budget)
    lab.state.retired += ran
    lab.state.vcpus[slot].retired += ran
    return slot, budget


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_everybody_runs_equally(lab: Lab, name: str) -> None:
    scheduler = make_scheduler(name, QUANTUM)
    ran = [0, 0, 0]
    for _ in range(300):
        slot, budget = turn(lab, scheduler) or (0, 0)
        ran[slot] += budget
    assert ran == [100 * QUANTUM] * 3


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_a_turn_goes_on_until_it_is_spent(lab: Lab, name: str) -> None:
    scheduler = make_scheduler(name, QUANTUM)
    first = turn(lab, scheduler, 300)
    assert first is not None and first[1] == QUANTUM
    assert turn(lab, scheduler, 300) == (first[0], 700)
    assert turn(lab, scheduler, 400) == (first[0], 400)
    after = turn(lab, scheduler, 1)
    assert after is not None and after[0] != first[0]


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_yield_and_block_end_a_turn(lab: Lab, name: str) -> None:
    scheduler = make_scheduler(name, QUANTUM)
    first = turn(lab, scheduler, 10)
    assert first is not None
    lib.hv_yield(lab.native)
    second = turn(lab, scheduler, 10)
    assert second is not None and second[0] != first[0]
    lab.state.vcpus[second[0]].blocked = 1
    third = turn(lab, scheduler, 10)
    assert third is not None and third[0] != second[0]
    assert lab.state.vcpus[second[0]].runstate == lib.RS_BLOCKED
    assert lab.state.vcpus[third[0]].runstate == lib.RS_RUNNING


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_nobody_and_somebody_again(lab: Lab, name: str) -> None:
    scheduler = make_scheduler(name, QUANTUM)
    for slot in range(3):
        lab.state.vcpus[slot].blocked = 1
    assert scheduler.pick(lab) is None and lab.state.running == lib.HV_NO_SLOT
    lib.hv_vcpu_kick(lab.native, lab.d1.vcpus[1].c)
    assert scheduler.pick(lab) == lab.d1.vcpus[1].slot


def test_who_cannot_run(lab: Lab) -> None:
    scheduler = make_scheduler("round_robin", QUANTUM)
    v = lab.state.vcpus
    v[0].online = 0
    v[1].paused = 1
    assert scheduler.runnable(lab) == [2]
    lab.d2.c.shut_down = 1
    assert scheduler.runnable(lab) == []
    v[0].online, lab.d1.c.dying = 1, 1
    assert scheduler.runnable(lab) == []


def test_credit_prefers_who_slept(lab: Lab) -> None:
    """A vcpu that uses a tenth of its turns is never kept waiting by the two that use all of theirs."""
    scheduler = make_scheduler("credit", QUANTUM)
    waits = []
    sleeper = lab.d2.vcpus[0]
    for _ in range(50):
        sleeper.c.blocked = 0
        waited = 0
        while (ran := turn(lab, scheduler)) is not None and ran[0] != sleeper.slot:
            waited += 1
        waits.append(waited)
        sleeper.c.blocked = 1
        for _ in range(5):
            turn(lab, scheduler)
    assert max(waits[2:]) <= 1


def sequence(name: str, seed: int) -> list[tuple[int, int] | None]:
    lab = Lab(1024)
    scheduler = make_scheduler(name, QUANTUM, seed)
    return [turn(lab, scheduler) for _ in range(60)]


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_a_seed_varies_turns_and_reproduces(name: str) -> None:
    plain, one, two = sequence(name, 0), sequence(name, 1), sequence(name, 2)
    assert one == sequence(name, 1) and one != two != plain
    lengths = {ran[1] for ran in one if ran}
    assert len(lengths) > 30 and min(lengths) > QUANTUM // 2 and max(lengths) <= QUANTUM * 3 // 2


def test_state_is_in_the_arena(lab: Lab) -> None:
    """Another scheduler object goes on where the first stopped."""
    a, b = make_scheduler("credit", QUANTUM, 5), make_scheduler("credit", QUANTUM, 5)
    mixed = [turn(lab, a if i % 2 else b) for i in range(60)]
    assert mixed == sequence("credit", 5)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="no scheduler fifo; there are credit, round_robin"):
        make_scheduler("fifo")
    with pytest.raises(ValueError, match="positive"):
        make_scheduler("credit", 0)
