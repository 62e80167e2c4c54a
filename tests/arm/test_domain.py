"""An ARM domain over the engine: hypercalls, aborts, timers, events, WFI, PSCI, accesses to devices."""

from __future__ import annotations

import errno

import pytest

from hv.native import ffi, lib

from .domains import (
    CODE,
    DATA,
    DEVICE,
    EC_DATA_ABORT,
    GIC,
    IRQ_VECTOR,
    RAM,
    RESULTS,
    SECOND,
    START,
    SYNC_VECTOR,
    ArmDomains,
)

XEN_VERSION, CONSOLE_IO, SCHED_OP, VCPU_OP, SET_TIMER_OP = 17, 18, 29, 24, 15
EVTCHN_PPI, VIRTUAL_TIMER_PPI = 31, 27
WORD = (1 << 64) - 1
ESR_IL = 1 << 25


def hypercall(number: int) -> str:
    return f"mov x16, #{number}\nhvc #0xea1\n"


def off() -> str:
    """PSCI SYSTEM_OFF."""
    return "movz w0, #8\nmovk w0, #0x8400, lsl #16\nhvc #0\n"


ACKNOWLEDGE = """
    mrs x2, icc_iar1_el1
    str x2, [x20], #8
    mrs x3, cntvct_el0
    str x3, [x20], #8
    msr cntv_ctl_el0, xzr
    msr icc_eoir1_el1, x2
    eret
"""


def test_hypercalls_go_to_c_and_to_python_and_their_results_come_back() -> None:
    d = ArmDomains(
        START + "mov x0, #0\nmov x1, #0\n" + hypercall(XEN_VERSION) + "str x0, [x20]\n"
        + "mov x0, #0\n" + hypercall(63) + "str x0, [x20, #8]\n"
        + "mov x0, #0\n" + hypercall(SET_TIMER_OP) + "str x0, [x20, #16]\n"
        + "mov x0, #7\nmov x1, #0\n" + hypercall(VCPU_OP) + "str x0, [x20, #24]\n"
        + f"mov x0, #0\nmov x1, #5\nmovz x2, #{DATA >> 16:#x}, lsl #16\nmovk x2, #{DATA & 0xFFFF:#x}\n"
        + hypercall(CONSOLE_IO) + "str x0, [x20, #32]\n" + off()
    )  # fmt: skip
    d.write(DATA, b"hello")
    assert d.run() == lib.EXIT_HYPERCALL
    assert (d.exit.nr, d.exit.args[1], d.exit.args[2], d.exit.flags) == (CONSOLE_IO, 5, DATA, 0)
    out = ffi.new("char[]", 5)
    assert lib.hv_copy_from_guest(d.native, d.running, out, DATA, 5) == 0
    assert bytes(ffi.buffer(out)) == b"hello"
    d.answer(-errno.EPERM)
    assert d.run() == lib.EXIT_SHUTDOWN
    refused = [WORD + 1 - code for code in (errno.ENOSYS, errno.ENOSYS, errno.EINVAL, errno.EPERM)]
    assert d.words(5) == [4 << 16 | 17, *refused]
    assert (d.c.shut_down, d.c.shutdown_code) == (1, 0)


REFUSED = {
    lib.DOMAIN_ARM64: f"movz x0, #{DATA >> 16:#x}, lsl #16\nmovk x0, #{DATA & 0xFFFF:#x}\nmov sp, x0\n"
    "mov x0, #7\nmov x1, #0\n" + hypercall(VCPU_OP),
    lib.DOMAIN_ARM32: f"movw r0, #{DATA & 0xFFFF:#x}\nmovt r0, #{DATA >> 16:#x}\nmov sp, r0\n"
    f"mov r0, #7\nmov r1, #0\nmov r12, #{VCPU_OP}\nhvc #0xea1\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_evidence_of_a_refusal_has_the_stack(kind: int) -> None:
    d = ArmDomains(REFUSED[kind] + "1: b 1b\n", kind=kind)
    d.write(DATA, b"what lies on the stack")
    assert lib.hv_keep_evidence(d.native, True) == 0
    with pytest.raises(AssertionError):
        d.run(limit=100)
    found = ffi.new("struct evidence *")
    assert lib.hv_refusal_evidence(d.native, found, 1) == 1
    assert bytes(ffi.buffer(found.stack, 22)) == b"what lies on the stack"
    assert found.stack_length == lib.EVIDENCE_STACK
    assert lib.hv_keep_evidence(d.native, False) == 0


def test_a_call_that_is_to_be_made_again_is_made_with_other_arguments() -> None:
    d = ArmDomains(START + "mov x0, #3\nmov x1, #5\n" + hypercall(SCHED_OP) + "str x0, [x20]\n" + off())
    assert d.run() == lib.EXIT_HYPERCALL
    lib.hv_answer_again(d.native, d.running, [4, 6, 7, 8, 9, 0], False)
    assert d.run() == lib.EXIT_HYPERCALL
    assert [d.exit.args[i] for i in range(5)] == [4, 6, 7, 8, 9]
    d.answer(77)
    assert d.run() == lib.EXIT_SHUTDOWN
    assert d.words(1) == [77]


@pytest.mark.parametrize(
    ("access", "address"),
    [("ldr x1, [x0]", 0x1000_0000), ("str x1, [x0]", 0x1000_0000), ("str x1, [x0]", RAM + 0x3F000)],
)
def test_where_no_memory_is_an_access_aborts(access: str, address: int) -> None:
    """As Xen injects it: with neither a status nor the direction."""
    d = ArmDomains(START + f"movz x0, #{address >> 16:#x}, lsl #16\nmovk x0, #{address & 0xFFFF:#x}\n{access}\n")
    d.load(SYNC_VECTOR, "mrs x1, esr_el1\nmrs x2, far_el1\nstp x1, x2, [x20]\n" + off())
    flags = ffi.new("uint32_t *")
    frame = lib.hv_p2m_get(d.native, d.c, (RAM + 0x3F000) >> 12, flags)
    assert lib.hv_p2m_set(d.native, d.c, (RAM + 0x3F000) >> 12, frame, lib.P2M_RAM) == 0      # read-only
    assert d.run() == lib.EXIT_SHUTDOWN
    esr, far = d.words(2)
    assert (esr, far) == (EC_DATA_ABORT << 26 | ESR_IL, address)


@pytest.mark.parametrize("instruction", ["hvc #1", ".inst 0xd4000023"])              # smc #1
def test_other_calls_are_undefined(instruction: str) -> None:
    d = ArmDomains(START + f"mov x0, #0\n{instruction}\nnop\n")
    d.load(SYNC_VECTOR, "mrs x1, esr_el1\nmrs x3, elr_el1\nstp x1, x3, [x20]\n" + off())
    assert d.run() == lib.EXIT_SHUTDOWN
    esr, elr = d.words(2)
    assert esr == 1 << 25
    assert elr == CODE + 4 * 5


SLEEP = "msr daifclr, #2\n1: wfi\nb 1b\n"


@pytest.mark.parametrize("piece", [1 << 40, 7, 1])
def test_a_timer_wakes_a_vcpu_at_its_count(piece: int) -> None:
    d = ArmDomains(
        START + GIC + "mrs x4, cntvct_el0\nstr x4, [x20], #8\nmov x5, #20000\nadd x4, x4, x5\nmsr cntv_cval_el0, x4\n"
        "mov x4, #1\nmsr cntv_ctl_el0, x4\nmsr daifclr, #2\nwfi\nmsr daifset, #2\nstr x20, [x20]\n" + off()
    )  # fmt: skip
    d.load(IRQ_VECTOR, ACKNOWLEDGE)
    assert d.run(piece=piece) == lib.EXIT_SHUTDOWN
    begun, interrupt, taken, _ = d.words(4)
    assert interrupt == VIRTUAL_TIMER_PPI
    assert taken - begun == 20_000 + 2                    # two instructions of the handler
    assert d.hv.state.idle_ns > 19_000


@pytest.mark.parametrize("piece", [1 << 40, 7, 1])
def test_a_timer_interrupts_code_that_runs_at_its_count(piece: int) -> None:
    d = ArmDomains(
        START + GIC + "mrs x4, cntvct_el0\nstr x4, [x20], #8\nadd x4, x4, #1000\nmsr cntv_cval_el0, x4\n"
        "mov x4, #1\nmsr cntv_ctl_el0, x4\nmsr daifclr, #2\n1: add x9, x9, #1\nb 1b\n"
    )  # fmt: skip
    d.load(IRQ_VECTOR, ACKNOWLEDGE.replace("eret", off()))
    assert d.run(piece=piece) == lib.EXIT_SHUTDOWN
    begun, interrupt, taken = d.words(3)
    assert (interrupt, taken - begun) == (VIRTUAL_TIMER_PPI, 1000 + 2)


def test_an_event_interrupts_and_its_level_follows_what_the_guest_stores() -> None:
    info = RAM + 0x5000
    d = ArmDomains(START + GIC + SLEEP)
    d.load(
        IRQ_VECTOR,
        f"mrs x2, icc_iar1_el1\nstr x2, [x20], #8\nmovz x3, #{info >> 16:#x}, lsl #16\nmovk x3, #{info & 0xFFFF:#x}\n"
        "strb wzr, [x3]\nmsr icc_eoir1_el1, x2\nmrs x2, icc_iar1_el1\nstr x2, [x20], #8\neret\n",
    )
    flags = ffi.new("uint32_t *")
    d.vcpus[0].info_pa = lib.hv_p2m_get(d.native, d.c, info >> 12, flags) << 12
    assert d.run() == lib.EXIT_IDLE
    assert d.vcpus[0].blocked == 1
    lib.hv_mark_events_pending(d.native, d.vcpus[0])
    assert d.vcpus[0].blocked == 0
    assert d.run() == lib.EXIT_IDLE
    assert d.words(3) == [EVTCHN_PPI, 1023, 0]


def test_a_second_vcpu_is_started_and_stopped_by_psci() -> None:
    start = f"movz w0, #0x3\nmovk w0, #0xc400, lsl #16\nmov x1, #1\nmovz x2, #{SECOND >> 16:#x}, lsl #16\n"
    start += f"movk x2, #{SECOND & 0xFFFF:#x}\nmov x3, #77\n"
    d = ArmDomains(
        START + start + "hvc #0\nstr x0, [x20]\n" + start + ".inst 0xd4000003\nstr x0, [x20, #8]\n"
        "1: ldr x1, [x20, #16]\ncbz x1, 1b\n"
        "2: movz w0, #0x4\nmovk w0, #0xc400, lsl #16\nmov x1, #1\nmov x2, #0\nhvc #0\nstr x0, [x20, #32]\ncbz x0, 2b\n"
        + off(),
        vcpus=2,
    )  # fmt: skip
    d.load(
        SECOND,
        f"movz x20, #{RESULTS >> 16:#x}, lsl #16\nmovk x20, #{RESULTS & 0xFFFF:#x}\nmrs x1, mpidr_el1\n"
        "str x1, [x20, #24]\nstr x0, [x20, #16]\nmovz w0, #2\nmovk w0, #0x8400, lsl #16\nhvc #0\nb .\n",
    )
    assert d.run() == lib.EXIT_SHUTDOWN
    assert d.words(5) == [0, WORD + 1 - 4, 77, 1 << 31 | 1, 1]       # done, ALREADY_ON; context, MPIDR, OFF
    assert [v.online for v in d.vcpus] == [1, 0]


@pytest.mark.parametrize("piece", [1 << 40, 1])
def test_accesses_of_one_instruction_to_a_device_are_answered_one_by_one(piece: int) -> None:
    d = ArmDomains(
        START + f"movz x0, #{DEVICE >> 16:#x}, lsl #16\nldp w1, w2, [x0, #8]\nstp x1, x2, [x20]\nstr w1, [x0]\n" + off()
    )  # fmt: skip
    assert lib.hv_p2m_set(d.native, d.c, DEVICE >> 12, 0, lib.P2M_DEVICE) == 0
    for offset, size, write, value in ((8, 4, 0, 0x1234_5678), (12, 4, 0, 0x9ABC_DEF0), (0, 4, 1, 0)):
        assert d.run(piece=piece) == lib.EXIT_MMIO
        assert (d.exit.address, d.exit.error, d.exit.flags) == (DEVICE + offset, size, write)
        lib.hv_io_answer(d.native, d.running, value, 1000)
    assert d.exit.aux == 0x1234_5678
    assert d.run(piece=piece) == lib.EXIT_SHUTDOWN
    assert d.words(2) == [0x1234_5678, 0x9ABC_DEF0]


def test_a_snapshot_of_an_arm_domain_comes_back() -> None:
    d = ArmDomains(START + GIC + "mov x9, #0\n1: add x9, x9, #1\nstr x9, [x20]\ncmp x9, #1000\nb.ne 1b\n" + off())
    with pytest.raises(AssertionError):
        d.run(limit=500)
    out, text = ffi.new("struct hv_snapshot **"), ffi.new("char[]", 200)
    assert lib.hv_snapshot_take(d.native, out) == 0
    middle = d.reg(9)
    assert d.run() == lib.EXIT_SHUTDOWN
    end = int(d.hv.state.retired)
    assert lib.hv_snapshot_check(d.native, out[0], text, 200), ffi.string(text)
    assert lib.hv_snapshot_restore(d.native, out[0]) == 0
    assert lib.hv_validate(d.native, out[0], text, 200), ffi.string(text)
    assert lib.hv_audit(d.native, text, 200) == 0
    assert (d.reg(9), d.c.shut_down) == (middle, 0)
    assert d.run() == lib.EXIT_SHUTDOWN
    assert (d.reg(9), int(d.hv.state.retired)) == (1000, end)
    lib.hv_snapshot_release(out[0])
