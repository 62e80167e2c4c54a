"""Two domains in one Hypervisor, of one architecture or two: events and grants between them, the same on every run."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from hv import abi, statehash
from hv.debug import stops
from hv.debug.timeline import Timeline, Why
from hv.hypervisor import Hypervisor, RunResult, Stop
from hv.native import lib
from tests.guests import pairs
from tests.guests.pairs import Plan

KINDS = ["pv64 arm64", "arm64 pvh64", "hvm64 arm32", "arm32 pv64", "arm64 arm32", "arm64 arm64", "pvh32 arm64"]
"""Environments of the giver and of the taker."""
CODE_KINDS = ["pv64 arm64", "arm64 pv64", "arm32 pvh64", "hvm32 arm64", "arm64 arm32", "pvh64 pv64"]


def plan(kinds: str = "pv64 pv64", quantum: int = 50_000, seed: int = 0, scheduler: str = "round_robin") -> Plan:
    giver, taker = kinds.split()
    return Plan(giver, taker, quantum, seed, scheduler)


def outcome(ran: tuple[Hypervisor, RunResult, list[str]]) -> tuple[str, int]:
    """The state hash and the number of instructions of a run in which every guest succeeded."""
    hv, result, texts = ran
    for text in texts:
        assert "Test result: SUCCESS" in text, "\n".join(texts)
    assert result.stop == Stop.SHUTDOWN and hv.audit() == ""
    return statehash.state_hash(hv), result.instructions


@pytest.mark.parametrize("scheduler", ["round_robin", "credit"])
@pytest.mark.parametrize(("quantum", "seed"), [(1_000_000, 0), (777, 0), (10_000, 3)])
@pytest.mark.parametrize("kinds", ["pv64 pv64", "pv64 arm64"])
def test_exchange(kinds: str, quantum: int, seed: int, scheduler: str) -> None:
    wanted = plan(kinds, quantum, seed, scheduler)
    assert outcome(pairs.run("exchange", wanted)) == outcome(pairs.run("exchange", wanted))


@pytest.mark.parametrize("kinds", KINDS)
def test_exchange_between_kinds(kinds: str) -> None:
    assert outcome(pairs.run("exchange", plan(kinds))) == outcome(pairs.run("exchange", plan(kinds)))


@pytest.mark.parametrize("kinds", CODE_KINDS)
def test_code_that_another_domain_writes(kinds: str) -> None:
    assert outcome(pairs.run("code", plan(kinds))) == outcome(pairs.run("code", plan(kinds)))


@pytest.mark.parametrize(("name", "first"), [("survivor", pairs.GIVER), ("taker_ends", pairs.TAKER)])
@pytest.mark.parametrize("kinds", ["pv64 pv64", "pv64 arm64", "arm64 pvh64", "arm32 arm64"])
def test_the_other_domain_ends(kinds: str, name: str, first: int) -> None:
    wanted = plan(kinds, quantum=2_000)
    assert outcome(pairs.survive(name, wanted, first)) == outcome(pairs.survive(name, wanted, first))


@pytest.mark.parametrize("kinds", ["pv64 arm64", "arm64 pvh64", "arm32 arm64", "pvh64 arm32"])
def test_copies(kinds: str) -> None:
    assert outcome(pairs.run("copies", plan(kinds))) == outcome(pairs.run("copies", plan(kinds)))


@pytest.mark.parametrize("quantum", [777, 50_000])
@pytest.mark.parametrize("kinds", ["pv64 arm64", "arm64 pvh32", "arm32 pv64", "arm64 arm32", "pvh64 arm64"])
def test_streams_between_domains_of_two_vcpus(kinds: str, quantum: int) -> None:
    wanted = replace(plan(kinds, quantum), vcpus=2)
    assert outcome(pairs.run("stream", wanted)) == outcome(pairs.run("stream", wanted))


@pytest.mark.parametrize("kinds", ["pv64 arm64", "arm64 pvh64", "arm32 arm64"])
def test_a_refusal_says_which_domain_it_is_about(kinds: str) -> None:
    """The caller is the taker; what the rule names is the giver, or for whom a grant is."""
    hv, _, _ = pairs.run("copies", plan(kinds))
    reasons = [(refusal.domid, refusal.error.rule, refusal.status) for refusal in hv.refusals.collect()]
    bounds = (pairs.TAKER, "grant_copy_bounds", abi.GNTST_general_error)
    assert reasons == [
        (pairs.TAKER, "grant_read_only", abi.GNTST_general_error), bounds, bounds, bounds,
        (pairs.TAKER, "grant_copy_page", abi.GNTST_bad_copy_arg),
    ]  # fmt: skip
    hv, _, _ = pairs.run("exchange", plan(kinds))
    named = {(refusal.domid, refusal.error.rule, refusal.error.facts.get("domid")) for refusal in hv.refusals.collect()}
    assert {
        (pairs.TAKER, "grant_not_given", 9),  # for whom it is
        (pairs.TAKER, "evtchn_not_unbound", pairs.GIVER), (pairs.TAKER, "grant_other_domain", pairs.GIVER),
        (pairs.TAKER, "other_domain_denied", pairs.GIVER), (pairs.TAKER, "physmap_foreign", pairs.GIVER),
    } < named and {domid for domid, _, _ in named} == {pairs.TAKER}  # fmt: skip


def test_who_is_built_first_does_not_matter() -> None:
    outcome(pairs.run("exchange", Plan(order="21")))
    outcome(pairs.run("exchange", Plan("arm64", "pv64", order="21")))


def test_a_privileged_domain_beside_others() -> None:
    assert outcome(pairs.beside()) == outcome(pairs.beside())


@pytest.mark.parametrize("kinds", ["pv64 arm64", "arm32 pvh64"])
def test_what_was_typed_to_either_is_repeated(kinds: str) -> None:
    """The inputs of both domains, of one hypervisor's gate, in another one."""
    guests, again, untyped = (pairs.start("exchange", plan(kinds, quantum=777)) for _ in range(3))
    hv = guests[pairs.GIVER].hv
    for count, role in ((9_000, pairs.GIVER), (12_345, pairs.TAKER), (20_001, pairs.GIVER)):
        hv.run(max_insns=count)
        guests[role].console.feed(b"key %d" % count)
    ran = outcome((hv, hv.run(max_insns=pairs.MAX_INSNS), pairs.texts(guests)))
    assert [entry.domid for entry in hv.inputs] == [1, 2, 1]
    other = again[pairs.GIVER].hv
    other.inputs.replay(list(hv.inputs))
    assert outcome((other, other.run(max_insns=pairs.MAX_INSNS), pairs.texts(again))) == ran
    third = untyped[pairs.GIVER].hv
    assert outcome((third, third.run(max_insns=pairs.MAX_INSNS), pairs.texts(untyped))) != ran


@pytest.mark.parametrize("limit", [1, 7, 512])
@pytest.mark.parametrize("name", ["exchange", "code"])
def test_block_limits_change_nothing(name: str, limit: int) -> None:
    wanted = plan("arm64 pv64", quantum=777)
    guests = pairs.start(name, wanted)
    hv = guests[pairs.GIVER].hv
    lib.machine_set_block_limit(hv.machine, limit)
    ran = hv, hv.run(max_insns=pairs.MAX_INSNS), pairs.texts(guests)
    assert outcome(ran) == outcome(pairs.run(name, wanted))


@pytest.mark.parametrize("kinds", ["pv64 arm64", "arm32 pvh64"])
@pytest.mark.parametrize("name", ["exchange", "code"])
def test_cuts_flushes_and_snapshots_change_nothing(name: str, kinds: str) -> None:
    wanted = plan(kinds, quantum=777)
    straight = outcome(pairs.run(name, wanted))
    guests = pairs.start(name, wanted)
    hv, rng, snapshot = guests[pairs.GIVER].hv, random.Random(name), None
    while hv.run(max_insns=hv.instructions + rng.randrange(1, 400)).stop is not Stop.SHUTDOWN:
        match rng.randrange(5):
            case 0:
                lib.machine_flush_code(hv.machine)
            case 1:
                lib.machine_tlb_stale(hv.machine)
            case 2:
                snapshot = hv.snapshot()
            case 3 if snapshot is not None:
                hv.restore(snapshot)
                snapshot = None
    assert (hv.state_hash, hv.instructions) == straight


def test_backwards_over_events_between_architectures() -> None:
    """By stop points in both domains, of both architectures; each place is that of a straight run."""
    wanted = plan("pv64 arm64", quantum=777)
    end = outcome(pairs.run("exchange", wanted))[1]
    hv = pairs.start("exchange", wanted)[pairs.GIVER].hv
    timeline = Timeline(hv, interval=end // 12)
    send, rng = stops.hypercall("event_channel_op", "send"), random.Random(1)
    seen: dict[int, str] = {}
    for _ in range(60):
        match rng.randrange(4):
            case 0:
                moved = timeline.goto(rng.randrange(end))
            case 1:
                moved = timeline.step(rng.randrange(-1000, 1000))
            case 2:
                moved = timeline.run([send])
            case _:
                moved = timeline.run_back([send])
        if moved.why is not Why.SHUTDOWN and moved.position.inside is None:
            assert seen.setdefault(moved.position.count, hv.state_hash) == hv.state_hash
    straight = pairs.start("exchange", wanted)[pairs.GIVER].hv
    for count in sorted(seen):
        straight.run(max_insns=count)
        assert straight.state_hash == seen[count], count
    assert len(seen) > 20
