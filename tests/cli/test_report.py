"""The parts of a crash report, from made-up state."""

from __future__ import annotations

import struct

from hv.arch.x86.report import PAGE_FAULTS, page_walk, registers
from hv.cli.report import code, faulting_address, readable, stack
from hv.debug.trace import Trap, result_text

MEMORY = {0x1000: bytes.fromhex("50 4889e5 0f0b") + bytes(4090), 0x2000: struct.pack("<4Q", 1, 2, 3, 4) + bytes(4064)}


def read(address: int, length: int) -> bytes | None:
    page = MEMORY.get(address & ~4095)
    return None if page is None else page[address & 4095 : (address & 4095) + length]


def trap(**changes: object) -> Trap:
    made = Trap(100, 1, 0, "exception", 14, 0x1000, 6, 0xDEAD000, (0,) * 6, None, False)
    return made._replace(**changes)  # type: ignore[arg-type]


def test_registers_name_flags_and_selectors() -> None:
    gprs = dict.fromkeys(
        ["rip", "rsp", "rbp", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", *(f"r{n}" for n in range(8, 16))], 0x1234
    )
    text = "\n".join(registers(gprs, 0x3246, {"cs": (0xE033, 0), "fs": (0, 0x7F00), "gs": (0, 0)}))
    assert text.count("0000000000001234") == 17
    assert "rflags 00003246 PF ZF IF iopl 3" in text
    assert "cs e033" in text and "fs_base 7f00" in text


def test_code_is_disassembled_from_rip() -> None:
    lines = code(0x1000, read, "x86_64", "rip")
    assert lines[1].startswith("-> 0x0000000000001000  50 ") and lines[1].endswith("push rax")
    assert lines[2].endswith("mov rbp, rsp") and lines[3].endswith("ud2")
    assert code(0x5000, read, "x86_64", "rip") == ["code at rip: 0x5000 cannot be read"]


def test_stack_and_the_edge_of_mapped_memory() -> None:
    words = " ".join(f"{word:016x}" for word in (1, 2, 3, 4))
    assert stack(0x2000, read, 8, "rsp")[1] == f"   0x0000000000002000  {words}"
    assert stack(0x9000, read, 8, "rsp") == ["stack: rsp 0x9000 cannot be read"]
    assert len(readable(0x2FF0, 64, read)) == 16
    assert readable((1 << 64) - 8, 64, read) == b""


def test_the_last_page_fault_is_the_one_that_is_walked() -> None:
    emulated = trap(address=0x1, emulated=True)
    assert faulting_address([trap(), trap(number=13), emulated], 0x1000, PAGE_FAULTS)[0] == 0xDEAD000
    found = faulting_address([trap(number=13)], 0x1000, PAGE_FAULTS)
    assert found == (0x1000, "the next instruction; there was no page fault")


class Frames:
    """A domain of two frames: a top-level table whose entry 0 leads to a frame that is not there."""

    def frame(self, mfn: int) -> bytes:
        return {7: struct.pack("<Q", 0x999067) + bytes(4088)}[mfn]


def test_page_walk_shows_each_entry() -> None:
    lines = page_walk(Frames(), 7, 0x1000, "why")  # type: ignore[arg-type]
    assert lines == [
        "page walk of 0x0000000000001000: why",
        "   L4 frame 0x7 entry   0: 0x0000000000999067 PWUAD",
    ]
    assert page_walk(Frames(), 7, 1 << 50, "why")[1] == "   the address is not canonical"  # type: ignore[arg-type]
    assert "no page table" in page_walk(Frames(), 0, 0, "why")[1]  # type: ignore[arg-type]


def test_traps_as_lines_and_as_data() -> None:
    assert trap().line() == "           100 d1v0 0x0000000000001000 #PF                error 0x6 address 0xdead000"
    call = trap(kind="hypercall", number=17, args=(0, 5, 9, 9, 9, 9), result=-38)
    assert call.line().endswith("xen_version        (XENVER_version, 0x5) = -ENOSYS")
    assert call.data()["args"] == [0, 5, 9, 9, 9, 9] and call.data()["name"] == "xen_version"
    assert "address" not in trap(number=3).data() and trap(number=13).data()["error"] == 6
    assert trap(kind="event", number=0).line().endswith("event")
    assert (result_text(0), result_text(0x40011), result_text(-22)) == ("0", "0x40011", "-EINVAL")
