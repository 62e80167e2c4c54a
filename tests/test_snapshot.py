"""Snapshots: what is put back is all of it, wherever the run has gone since, and on another hypervisor too."""

from __future__ import annotations

import random

import pytest

from hv.hypervisor import Hypervisor
from hv.inputs import Input, Moment, ReplayError, inputs_of
from hv.native import NativeError, ffi, lib, view
from hv.testing.runner import DomainUnderTest

GUESTS = ["timer", "grant_self", "xenstore", "smp", "pt_writable", "evtchn_fifo", "code_write", "blk_rw", "net_ping"]
PIECES = 12


def _finished(name: str) -> DomainUnderTest:
    return DomainUnderTest(name).run()


@pytest.mark.parametrize("name", GUESTS)
def test_any_moment_comes_back_from_any_other(name: str) -> None:
    whole = _finished(name)
    dom = DomainUnderTest(name)
    saved = []
    for piece in range(PIECES):
        dom.hv.run(max_insns=whole.instructions * piece // PIECES)
        saved.append((dom.hv.snapshot(), dom.state_hash))
    rng = random.Random(name)
    for snapshot, state in rng.sample(saved, PIECES):
        dom.hv.restore(snapshot)
        assert dom.state_hash == state
        assert dom.audit() == ""
        dom.hv.run(max_insns=dom.instructions + rng.randrange(whole.instructions))
    dom.hv.restore(saved[1][0])
    dom.run()
    assert (dom.console, dom.state_hash, dom.traps) == (whole.console, whole.state_hash, whole.traps)


@pytest.mark.parametrize("name", ["smp", "pt_writable", "grant_self"])
def test_every_frame_that_changes_is_noticed(name: str) -> None:
    """The dirty flags miss nothing: all memory is compared, free frames as well."""
    whole = _finished(name)
    dom = DomainUnderTest(name)
    bytes_of_ram = int(dom.hv.state.frames) * 4096
    ram = view(lib.machine_frame(dom.hv.machine, 0), bytes_of_ram)
    for piece in range(1, PIECES):
        dom.hv.run(max_insns=whole.instructions * piece // PIECES)
        snapshot = dom.hv.snapshot()
        unit = ffi.new("uint64_t *")
        image = lib.hv_snapshot_image(snapshot.native)
        pages = bytearray(bytes_of_ram)
        while (page := lib.image_next(image, unit)) != ffi.NULL and unit[0] * 4096 < bytes_of_ram:
            pages[unit[0] * 4096 : (unit[0] + 1) * 4096] = ffi.buffer(page, 4096)
            unit[0] += 1
        assert ram == pages


def test_a_snapshot_costs_what_was_written_since_the_last() -> None:
    dom = DomainUnderTest("timer")
    dom.hv.run(max_insns=10_000)
    first = dom.hv.snapshot()
    held = first.held
    second = dom.hv.snapshot()
    assert second.held == held
    dom.hv.run(max_insns=11_000)
    third = dom.hv.snapshot()
    assert held < third.held < held + (64 << 12)
    dom.hv.restore(second)
    del third
    assert second.held == held


def test_a_fork_goes_its_own_way() -> None:
    whole = _finished("xenstore")
    dom = DomainUnderTest("xenstore")
    dom.hv.run(max_insns=whole.instructions // 2)
    before = dom.state_hash
    fork = dom.hv.fork()
    assert fork.state_hash == before
    fork.run()
    assert fork.state_hash == whole.state_hash
    assert fork.audit() == ""
    assert dom.state_hash == before
    fork.discard()
    again = dom.hv.fork()
    assert again is fork
    assert again.state_hash == before
    dom.run()
    assert dom.state_hash == whole.state_hash


def test_a_destroyed_domain_comes_back() -> None:
    whole = _finished("grant_self")
    dom = DomainUnderTest("grant_self")
    dom.hv.run(max_insns=whole.instructions // 2)
    snapshot, before = dom.hv.snapshot(), dom.state_hash
    dom.guest.destroy()
    assert dom.state_hash != before
    dom.hv.restore(snapshot)
    assert dom.state_hash == before
    dom.hv.run()
    assert dom.state_hash == whole.state_hash


def test_a_snapshot_of_another_machine_is_refused() -> None:
    snapshot = DomainUnderTest("hello").hv.snapshot()
    other = Hypervisor(memory_mib=8)
    with pytest.raises(NativeError, match="restoring a snapshot"):
        other.restore(snapshot)


# ---- inputs ----


def _typed(name: str = "console_ring") -> DomainUnderTest:
    """A guest that got input in the middle of its run, and at its end."""
    dom = DomainUnderTest(name)
    dom.hv.run(max_insns=500)
    dom.type("on")
    dom.run()
    dom.type("e two\n")
    dom.run()
    return dom


def test_inputs_enter_again_at_their_places() -> None:
    first = _typed()
    inputs = list(first.hv.inputs)
    assert [entry.data for entry in inputs] == [b"on", b"e two\n"]
    assert inputs[0].moment is Moment.COUNT
    again = DomainUnderTest("console_ring")
    again.hv.inputs.replay(inputs)
    again.run()
    assert (again.console, again.state_hash) == (first.console, first.state_hash)
    assert list(again.hv.inputs) == inputs


def test_an_input_whose_place_does_not_come_is_a_difference() -> None:
    dom = DomainUnderTest("hello")
    dom.hv.inputs.replay([Input(100, 0, Moment.IDLE, 1, "console", b"x")])
    with pytest.raises(ReplayError, match="differs from the recording at instruction 100"):
        dom.run()


def test_new_input_makes_a_new_run() -> None:
    dom = DomainUnderTest("console_ring")
    dom.hv.run(max_insns=400)
    snapshot = dom.hv.snapshot()
    dom.hv.run(max_insns=500)
    dom.type("old")
    old = dom.hv.inputs.history
    dom.hv.restore(snapshot)
    dom.hv.inputs.replay(inputs_of(old, snapshot.history))
    dom.type("new")
    assert not dom.hv.inputs.pending
    assert [entry.data for entry in dom.hv.inputs] == [b"new"]


def test_a_slot_that_a_domain_has_left_is_empty_in_a_snapshot() -> None:
    """What lies in the arena behind a domain that has gone does not come back as its successor's."""
    dom = DomainUnderTest("evtchn_fifo")
    dom.hv.run(max_insns=5000)
    dom.hv.snapshot()
    offset = int(dom.hv.state.evtchn_offset) + dom.domain.slot * int(lib.HV_MAX_PORTS) * ffi.sizeof("struct evtchn")
    channels = view(ffi.cast("char *", lib.machine_arena(dom.hv.machine)) + offset, 4096)
    assert any(channels)
    dom.guest.destroy()
    gone = dom.hv.snapshot()
    assert not any(channels)
    dom.hv.restore(gone)
    assert not any(channels)
