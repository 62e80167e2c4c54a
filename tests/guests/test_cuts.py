"""Where a run is cut, how blocks are translated and which caches are warm must not show in any result."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from hv.hypervisor import Stop
from hv.native import lib
from hv.testing.build import find_guest
from hv.testing.metadata import read_metadata
from hv.testing.runner import DomainUnderTest, Options

GUESTS = ["evtchn_unmask_store", "timer", "user_mode", "exc_pf", "evtchn_poll", "pt_writable", "xenstore", "smp",
          "blk_rw", "net_ping"]
WHOLE = ["hvm_exceptions", "lapic_timer", "hvm_smp", "physmap", "hvm_page_tables"]
"""With a processor of their own."""
CPU = ["breakpoints", "single_step", "simd_errors", "fpu_errors", "task_switches", "task_nmi", "vm86_traps",
       "real_mode", "non_canonical", "forced_emulation", "self_modifying", "page_ends", "interrupt_shadow", "umip",
       "segment_limits", "alignment", "string_moves"]
"""What the engine is put right about."""


def guest(name: str) -> DomainUnderTest:
    """In the first environment that its header comment names."""
    return DomainUnderTest(name, Options(env=read_metadata(find_guest(name)).environments[0]))


def _result(dom: DomainUnderTest) -> tuple[str, int, str]:
    return dom.console, dom.instructions, dom.state_hash


def _straight(name: str) -> tuple[str, int, str]:
    return _result(guest(name).run())


def _in_pieces(dom: DomainUnderTest, piece: Callable[[], int], between: Callable[[], None]) -> None:
    end = 0
    while True:
        end += piece()
        if dom.hv.run(max_insns=end).stop is Stop.SHUTDOWN:
            return
        assert dom.instructions == end
        between()


@pytest.mark.parametrize("name", [*GUESTS, *WHOLE, *CPU])
def test_cuts_flushes_and_cold_caches_change_nothing(name: str) -> None:
    want = _straight(name)
    rng = random.Random(name)
    dom = guest(name)
    longest = max(want[1] // 150, 40)

    def between() -> None:
        match rng.randrange(4):
            case 0:
                lib.machine_flush_code(dom.hv.machine)
            case 1:
                lib.machine_tlb_stale(dom.hv.machine)
            case 2:
                lib.machine_set_block_limit(dom.hv.machine, rng.choice([0, 1, 3, 50]))

    _in_pieces(dom, lambda: rng.randrange(1, longest), between)
    assert _result(dom) == want


@pytest.mark.parametrize("limit", [1, 7, 512])
@pytest.mark.parametrize("name", ["timer", "exc_pf", "smp", *WHOLE, *CPU])
def test_block_limits_change_nothing(name: str, limit: int) -> None:
    dom = guest(name)
    lib.machine_set_block_limit(dom.hv.machine, limit)
    assert _result(dom.run()) == _straight(name)


@pytest.mark.parametrize("name", WHOLE)
def test_paging_modes_and_lost_shadows_change_nothing(name: str) -> None:
    """Shadows are a cache: without them, or when they are dropped at any moment, everything is the same; the audit
    compares what is cached with the guest's tables."""
    walked = DomainUnderTest(name, Options(env="pvh64", paging="walk"))
    want = _result(walked.run())
    assert walked.hv.audit() == ""
    rng = random.Random(name)
    dom = DomainUnderTest(name, Options(env="pvh64", paging="shadow"))

    def between() -> None:
        assert dom.hv.audit() == ""
        match rng.randrange(3):
            case 0:
                lib.hv_shadow_drop(dom.hv.native)
            case 1:
                dom.hv.restore(dom.hv.snapshot())

    _in_pieces(dom, lambda: rng.randrange(1, max(want[1] // 40, 40)), between)
    assert _result(dom) == want


def test_every_single_step_of_the_first_guest() -> None:
    want = _straight("hello")
    dom = DomainUnderTest("hello")
    _in_pieces(dom, lambda: 1, lambda: None)
    assert _result(dom) == want
