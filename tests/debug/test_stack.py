"""Call stacks: of guests stopped at a count, and of made-up memory for each method by itself."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from hv.debug.symbols import Place, Symbols, load_symbols, symbols_of
from hv.debug.symbols.cursor import Cursor, Memory
from hv.debug.symbols.frames import behind_call
from hv.debug.symbols.orc import Orc
from hv.debug.symbols.stack import Frame, backtrace, unwind
from hv.testing.build import build_guest
from hv.toolstack.launch import Guest, GuestConfig, launch
from tests.debug.compiled import TEXT, compiled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NESTED = """\
/* @title  nested
 * @fact   a stack of known depth, and a fault at its end
 * @source none: the debugger's own test
 * @env    pv64
 */
#include <guest.h>

static volatile long turns;

static __attribute__((noinline)) void inner(long count)
{
    for (long i = 0; i < count; i++)
        turns++;
    *(volatile int *)0x1234567000 = 1;
    printf("never\\n");
}

__attribute__((noinline)) void middle(long count)
{
    inner(count);
    printf("nor this\\n");
}

void test_main(void)
{
    middle(500000);
    printf("nor that\\n");
}
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("guest") / "nested.c"
    source.write_text(NESTED)
    return build_guest(source)


def start(kernel: Path) -> tuple[Guest, Symbols]:
    guest = launch(kernel, GuestConfig(memory_mib=16))
    return guest, symbols_of(guest.image)


def names(frames: list[Frame]) -> list[str]:
    return [frame.place.name if frame.place else "?" for frame in frames]


def line(text: str) -> int:
    return next(number for number, line in enumerate(NESTED.splitlines(), 1) if text in line)


def run_into(guest: Guest, symbols: Symbols, function: str, step: int) -> list[Frame]:
    """Run on in steps until `function` is on the stack; the frames then."""
    vcpu = guest.domain.vcpus[0]
    for count in range(guest.hv.instructions + step, guest.hv.instructions + 500 * step, step):
        guest.hv.run(max_insns=count)
        frames = backtrace(vcpu, symbols)
        if function in names(frames):
            return frames
    raise AssertionError(f"{function} was never on the stack: {names(frames)}")


def test_a_nested_call_stack(kernel: Path) -> None:
    guest, symbols = start(kernel)
    guest.hv.run(max_insns=400_000)
    before = guest.hv.state_hash
    frames = backtrace(guest.domain.vcpus[0], symbols)
    assert guest.hv.state_hash == before
    assert names(frames) == ["inner", "middle", "test_main", "guest_start", "_start"]
    assert [frame.how for frame in frames] == ["here", *["frame pointer"] * 4]
    assert frames[0].pc == guest.domain.vcpus[0].registers["rip"]
    assert frames[0].line in (line("for (long i"), line("turns++"))
    assert [frame.line for frame in frames[1:3]] == [line("inner(count);"), line("middle(500000)")]
    assert all(frame.file and frame.file.endswith("nested.c") for frame in frames[:3])
    stacks = [frame.sp for frame in frames]
    assert stacks == sorted(stacks) and len(set(stacks)) == len(stacks)
    assert str(frames[1]).endswith(f" {frames[1].place} (nested.c:{line('inner(count);')})")
    assert names(backtrace(guest.domain.vcpus[0], symbols, limit=2)) == ["inner", "middle"]


def test_every_instruction_of_a_call_has_the_same_callers(kernel: Path) -> None:
    """Prologue and epilogue included: the caller's part of the stack does not depend on where in a function we are."""
    guest, symbols = start(kernel)
    vcpu = guest.domain.vcpus[0]
    seen = 0
    for count in range(300, 1500):
        guest.hv.run(max_insns=count)
        frames = backtrace(vcpu, symbols)
        if names(frames)[-1] != "_start" or "guess" in {frame.how for frame in frames}:
            place = frames[0].place
            assert place is not None and place.name in ("_start", "trap_event"), str(frames)
        else:
            seen += 1
            assert names(frames)[-2:] in (["guest_start", "_start"], ["_start"], ["_start", "_start"])
    assert seen > 900


def test_every_instruction_of_a_hypercall_stub_has_its_caller(kernel: Path) -> None:
    guest, symbols = start(kernel)
    vcpu = guest.domain.vcpus[0]
    offsets = set()
    for count in range(6000):
        guest.hv.run(max_insns=count)
        place = symbols.at(vcpu.registers["rip"])
        if place is not None and place.name == "hypercall_page":
            frames = backtrace(vcpu, symbols)
            offsets.add(place.offset % 32)
            assert frames[1].how == "cfi" and names(frames)[-1] == "_start", str(frames)
            assert frames[1].place is not None and frames[1].place.name != "guest_start"
    assert offsets == {0, 1, 3, 8, 10, 12, 13}


def test_through_a_trap_to_the_code_that_faulted(kernel: Path) -> None:
    guest, symbols = start(kernel)
    frames = run_into(guest, symbols, "trap_entry", 20_000)
    found = names(frames)
    assert found[found.index("trap_entry"):] == [
        "trap_entry", "trap_common", "inner", "middle", "test_main", "guest_start", "_start"]
    interrupted = frames[found.index("inner")]
    assert interrupted.how == "cfi" and interrupted.line == line("0x1234567000")


def test_a_vcpu_that_was_never_started(kernel: Path) -> None:
    guest = launch(kernel, GuestConfig(memory_mib=16, vcpus=2))
    (frame,) = backtrace(guest.domain.vcpus[1], symbols_of(guest.image))
    assert frame.place is None and frame.how == "here" and str(frame).endswith(" ?")


def test_a_stack_that_leads_back_to_itself_ends(kernel: Path) -> None:
    guest, symbols = start(kernel)
    guest.hv.run(max_insns=400_000)
    vcpu = guest.domain.vcpus[0]
    rbp = vcpu.registers["rbp"]
    assert vcpu.write(rbp, struct.pack("<Q", rbp))
    assert len(backtrace(vcpu, symbols, limit=1000)) < 20


# ---- each method by itself ----


def memory_of(base: int, content: bytes, path: Path | None = None) -> Memory:
    """Memory with `content` at `base`, and an executable's code at TEXT."""
    code = load_symbols(path).elf.section(".text").data if path else b""  # type: ignore[union-attr]

    def read(address: int, length: int) -> bytes | None:
        for start, data in ((base, content), (TEXT, code)):
            if start <= address and address + length <= start + len(data):
                return data[address - start:address - start + length]
        return None

    return Memory(read)


ASSEMBLY = """\
    .cfi_sections {section}
    .text
    .globl leaf
    .type leaf, @function
leaf:
    .cfi_startproc
    push %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_offset %rbx, -16
    sub $24, %rsp
    .cfi_adjust_cfa_offset 24
    nop
    add $24, %rsp
    .cfi_adjust_cfa_offset -24
    pop %rbx
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
    .size leaf, . - leaf

    .globl caller
    .type caller, @function
caller:
    .cfi_startproc
    .cfi_undefined %rip
    call leaf
    hlt
    .cfi_endproc
    .size caller, . - caller
"""


@pytest.mark.parametrize("depth", [24, 28, 4096 + 4, 4096 + 20])
def test_a_stack_that_is_not_aligned(tmp_path: Path, depth: int) -> None:
    """What a call left lies a multiple of 8 above rsp, or is aligned: whichever is nearer. Words lie across pages."""
    path = compiled(tmp_path, "leaf.S", ASSEMBLY.format(section=".eh_frame").replace(".cfi_", "# .cfi_"))
    symbols = load_symbols(path)
    leaf, caller = symbols.find("leaf"), symbols.find("caller")
    assert leaf is not None and caller is not None
    for top in (0x9000, 0x9004):
        memory = memory_of(top - depth, bytes(depth - 8) + struct.pack("<Q", caller + 5) + bytes(64), path)
        if top % 8 and depth % 8:
            continue  # neither
        frames = unwind(Cursor(leaf + 6, {"rsp": top - depth, "rbp": 1}, True, "here"), symbols, memory, 2)
        assert [(frame.pc, frame.sp, frame.how) for frame in frames[1:]] == [(caller + 5, top, "guess")], hex(top)


@pytest.mark.parametrize("section", [".debug_frame", ".eh_frame"])
def test_call_frame_information(tmp_path: Path, section: str) -> None:
    path = compiled(tmp_path, "leaf.S", ASSEMBLY.format(section=section))
    symbols = load_symbols(path)
    leaf, caller = symbols.find("leaf"), symbols.find("caller")
    assert leaf is not None and caller is not None
    back = caller + 5
    # rsp at each instruction: push (1 byte), sub (4), nop (1), add (4), pop (1), ret
    top = 0x9000
    memory = memory_of(top - 64, bytes(64 - 8) + struct.pack("<Q", back), path)
    for offset, depth in ((0, 8), (1, 16), (5, 40), (6, 40), (10, 16), (11, 8)):
        frames = unwind(Cursor(leaf + offset, {"rsp": top - depth, "rbp": 1}, True, "here"), symbols, memory, 9)
        assert [(frame.pc, frame.sp, frame.how) for frame in frames[1:]] == [(back, top, "cfi")], offset
        assert frames[1].place == Place("caller", 5)
    assert symbols.warnings == []


IP = 0xFFFFFFFF82000000
CODE = 0xFFFFFFFF81000000


def orc(rows: list[tuple[int, int, int, int, int, int]], shuffle: bool = False) -> Orc:
    """Tables from (code offset, sp register, sp offset, bp register, bp offset, type)."""
    rows = rows[::-1] if shuffle else rows
    ips = b"".join(struct.pack("<i", CODE + row[0] - (IP + 4 * number)) for number, row in enumerate(rows))
    entries = b"".join(struct.pack("<hhBB", sp, bp, spr | bpr << 4, kind) for _, spr, sp, bpr, bp, kind in rows)
    return Orc(ips, entries, IP)


SP, BP, PREV_SP, SP_INDIRECT, BP_INDIRECT, R10 = 5, 4, 1, 9, 8, 6


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("call", "regs", "iret"), [(0, 1, 2), (2, 3, 4)], ids=["6.1", "6.4"])
def test_orc_tables(call: int, regs: int, iret: int, shuffle: bool) -> None:
    table = orc([
        (0x000, SP, 8, 0, 0, call), (0x010, SP, 24, PREV_SP, -16, call), (0x020, BP, 16, PREV_SP, -16, call),
        (0x030, SP, 0, 0, 0, regs), (0x040, SP, 128, 0, 0, iret), (0x050, SP_INDIRECT, 8, 0, 0, call),
        (0x060, BP_INDIRECT, -8, 0, 0, call), (0x070, R10, 0, 0, 0, call), (0x080, 0, 0, 0, 0, 0),
    ], shuffle)  # fmt: skip
    words = {0x1000 + 8 * number: 0x7000 + number for number in range(64)}
    words[0x1100] = 0x1080  # a stack pointer in memory
    memory = Memory(lambda at, length: struct.pack("<Q", words[at]) if at in words and length == 8 else None)
    registers = {"rsp": 0x1000, "rbp": 0x1108, "r10": 0x1040}

    def caller(offset: int, **other: int) -> tuple[int, int | None, int | None, bool] | None:
        found = table.caller(Cursor(CODE + offset, registers | other, True, "here"), memory)
        return found and (found.pc, found.registers.get("rsp"), found.registers.get("rbp"), found.exact)

    assert caller(0x000) == (words[0x1000], 0x1008, 0x1108, False)
    assert caller(0x01F) == (words[0x1010], 0x1018, words[0x1008], False)
    assert caller(0x020) == (words[0x1110], 0x1118, words[0x1108], False)
    assert caller(0x030) == (words[0x1080], words[0x1098], words[0x1020], True)
    assert caller(0x040) == (words[0x1080], words[0x1098], 0x1108, True)
    assert caller(0x050, rsp=0x1100) == (words[0x1080], 0x1088, 0x1108, False)
    assert caller(0x060) == (words[0x1078], 0x1080, 0x1108, False)
    assert caller(0x070) == (words[0x1038], 0x1040, 0x1108, False)
    assert caller(0x080) is None and caller(-1) is None and caller(0, rsp=0x9999) is None
    end = table.caller(Cursor(CODE + 0x81, registers, False, "orc"), memory)
    assert end is not None and end.last  # a caller for which the kernel says that the stack ends


@pytest.mark.parametrize(("code", "call"), [
    ("e8 01 02 03 04", True), ("ff d0", True), ("41 ff d3", True), ("ff 15 01 02 03 04", True), ("ff 10", True),
    ("ff 50 08", True), ("ff 54 24 08", True), ("ff 14 c5 01 02 03 04", True), ("ff 90 01 02 03 04", True),
    ("ff 94 24 01 02 03 04", True),
    ("e9 01 02 03 04", False), ("ff e0", False), ("90 90 90", False), ("ff c0", False), ("0f 0b", False),
])  # fmt: skip
def test_what_a_call_looks_like(code: str, call: bool) -> None:
    data = bytes.fromhex("90" * 7 + code)
    assert behind_call(0x100 + len(data), memory_of(0x100, data)) is call


def test_guesses_are_marked(kernel: Path) -> None:
    """Without frame pointer and tables, what lies on the stack: a number that is no return address is passed over."""
    guest, symbols = start(kernel)
    guest.hv.run(max_insns=400_000)
    read: Callable[[int, int], bytes | None] = guest.domain.vcpus[0].read
    entry, inner, middle = (symbols.find(name) for name in ("vcpu_entry", "inner", "middle"))
    assert entry is not None and inner is not None and middle is not None
    back = backtrace(guest.domain.vcpus[0], symbols)[1].pc
    stack = struct.pack("<4Q", 7, inner, middle + 1, back)

    def with_stack(address: int, length: int) -> bytes | None:
        at = address - 0x5000
        if 0 <= at < len(stack):
            return stack[at:at + length].ljust(length, b"\0")
        return bytes(length) if 0x5000 <= address < 0x6000 else read(address, length)

    frames = unwind(Cursor(entry + 2, {"rsp": 0x5000, "rbp": 1}, True, "here"), symbols, Memory(with_stack), 9)
    assert names(frames) == ["vcpu_entry", "middle"]
    assert frames[1].how == "guess" and str(frames[1]).startswith("? ") and frames[1].sp == 0x5020
