"""Real mode, and protected mode with code of 16 and 32 bits, as a debugger shows them: linear addresses everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hv.arch.x86.gdb import REGISTERS
from hv.cli.main import main
from hv.debug import stops
from hv.debug.commands import CommandError, execute
from hv.debug.debugger import Debugger
from hv.debug.gdb.replies import stop_reply
from hv.debug.gdb.session import Session
from hv.debug.here import disassemble, place_text, stack_words
from hv.debug.mode import mode_of
from hv.debug.symbols import Symbols
from hv.debug.timeline import Position, Why
from hv.testing.build import build_guest, find_guest
from hv.toolstack.launch import GuestConfig, launch
from tests.debug.compiled import CALLS_WITHIN_CALLS
from tests.devices.flat32 import compiled

CODE, HANDLER = 0x20000, 0x50000
PROGRAM = r"""
typedef unsigned int u32; typedef unsigned long long u64;
__asm__(".globl _start\n_start: movl $0x90000, %esp\n jmp work\n"
        ".globl enter\nenter: lgdt table_of\n ljmp $0x18, $0\n"
        ".code16\n"
        ".globl small\nsmall:\n"                              /* offset 0 of a code segment at 0x20000 */
        " mov $0x20, %ax\n mov %ax, %ss\n mov $0x100, %sp\n pushw $0x1234\n"
        ".globl protected\nprotected: mov %bx, %cx\n"
        " mov %cr0, %eax\n and $0xfe, %al\n mov %eax, %cr0\n ljmp $0x2000, $real - small\n"
        ".globl real\nreal: mov $0x4000, %ax\n mov %ax, %ss\n mov $0x80, %sp\n pushw $0x5678\n"
        ".globl pushed\npushed: mov %bx, %cx\n ud2\n"
        ".globl small_end\nsmall_end:\n .code32\n");
extern char small[], small_end[], protected[], pushed[];
u64 gdt[5];
struct { unsigned short limit; u32 base; } __attribute__((packed)) table_of;
void enter(void);
u32 places[2];
static u64 segment(u32 base, u32 type, u32 flags)
{
    return 0xffff | (u64)(base & 0xffffff) << 16 | (u64)(0x90 | type) << 40 | (u64)(flags | 0xf) << 48;
}
void work(void)
{
    for (u32 i = 0; small + i < small_end; i++)
        ((char *)0x20000)[i] = small[i];
    *(u32 *)(6 * 4) = 0x50000000;                            /* #UD in real mode: 5000:0000 */
    *(volatile unsigned char *)0x50000 = 0xf4;               /* hlt */
    gdt[1] = segment(0, 11, 0xc0); gdt[2] = segment(0, 3, 0xc0);
    gdt[3] = segment(0x20000, 11, 0); gdt[4] = segment(0x30000, 3, 0);
    table_of.limit = sizeof gdt - 1;
    table_of.base = (u32)gdt;
    enter();
}
"""


@pytest.fixture
def debugger(tmp_path: Path) -> Debugger:
    (tmp_path / "modes.elf").write_bytes(compiled(tmp_path, PROGRAM))
    guest = launch(None, GuestConfig(kind="hvm", firmware=tmp_path / "modes.elf", memory_mib=4))
    return Debugger(guest.hv, symbols=Symbols(guest.image))


def address(debugger: Debugger, name: str) -> int:
    """Of a label of the part that is copied to CODE."""
    return CODE + debugger.symbols.parse(name) - debugger.symbols.parse("small")


def to(debugger: Debugger, where: int) -> Any:
    moved = debugger.run_only([stops.instruction(where)])
    assert moved.why is Why.STOP_POINT
    return mode_of(debugger.vcpu)


def test_code_of_32_bits(debugger: Debugger) -> None:
    mode = mode_of(debugger.vcpu)
    assert (mode.name, mode.bits, mode.pc) == ("32-bit code", 32, debugger.vcpu.registers["rip"])
    assert disassemble(debugger.vcpu, mode.pc, 1)[0].text == "mov esp, 0x90000"
    assert place_text(debugger.vcpu, debugger.symbols).endswith("_start in 32-bit code")


def test_code_of_16_bits_in_a_segment_of_its_own(debugger: Debugger) -> None:
    there = address(debugger, "protected")
    mode, vcpu = to(debugger, there), debugger.vcpu
    assert (mode.name, mode.bits, mode.code) == ("16-bit code", 16, "x86_16")
    assert (mode.pc, mode.sp) == (there, 0x300FE) and vcpu.registers["rip"] == there - CODE
    assert disassemble(vcpu, there, 2)[0].text == "mov cx, bx"
    assert stack_words(vcpu, debugger.symbols, 1) == [(0x300FE, "1234")]
    assert place_text(vcpu, debugger.symbols) == f"{there:#x} in 16-bit code"
    assert execute(debugger, "backtrace") == f"#0 {there:#018x} ?"


def test_real_mode(debugger: Debugger) -> None:
    """Also a handler of a fault, which stands inside a count; forwards, backwards, and a step away."""
    there = address(debugger, "pushed")
    mode, vcpu = to(debugger, there), debugger.vcpu
    here, state = debugger.timeline.position, debugger.hv.state_hash
    assert (mode.name, mode.pc, mode.sp) == ("real mode", there, 0x4007E)
    assert place_text(vcpu, debugger.symbols) == f"{there:#x} = 2000:{there - CODE:04x} in real mode"
    assert stack_words(vcpu, debugger.symbols, 1) == [(0x4007E, "5678")]
    assert execute(debugger, "backtrace") == f"#0 {there:#018x} ?"
    assert "ud2" in execute(debugger, "disassemble").splitlines()[1]
    handler = [stops.instruction(HANDLER)]
    inside = debugger.run_only(handler).position
    assert inside == Position(here.count + 1, (0, 0)) and mode_of(debugger.vcpu).pc == HANDLER
    assert "5000:0000" in execute(debugger, "where")
    debugger.step(1)
    assert debugger.run_only(handler, back=True).position == inside
    assert debugger.run_only([stops.instruction(there)], back=True).position == here
    assert debugger.hv.state_hash == state
    words = execute(debugger, "registers")
    assert "cs_base 20000" in words and "ss_base 40000" in words and "cr0 60000010 " in words


class Nothing:
    """Outside of the guest nothing goes on (hv.debug.gdb.session.Outside)."""

    def poll(self) -> bool:
        return False

    poll_back = wait_for_input = poll

    def send(self, body: bytes) -> None:
        raise AssertionError(body)


def test_what_gdb_sees_is_linear(debugger: Debugger) -> None:
    there = address(debugger, "pushed")
    to(debugger, there)
    session = Session(debugger, Nothing())
    number = {register.name: f"{at:x}".encode() for at, register in enumerate(REGISTERS)}

    def value(name: str) -> int:
        return int.from_bytes(bytes.fromhex((session.answer(b"p" + number[name]) or b"").decode()), "little")

    assert (value("rip"), value("rsp"), value("cs"), value("ss")) == (there, 0x4007E, 0x2000, 0x4000)
    assert session.answer(b"m4007e,2") == b"7856"
    reply = stop_reply(session, debugger.moved).decode()
    assert there.to_bytes(8, "little").hex() in reply
    assert session.answer(b"P%s=%s" % (number["rip"], (there + 2).to_bytes(8, "little").hex().encode())) == b"OK"
    assert debugger.vcpu.registers["rip"] == there + 2 - CODE and value("rip") == there + 2
    refused = session.answer(b"P%s=%s" % (number["cr0"], (1).to_bytes(8, "little").hex().encode())) or b""
    assert refused == b"E.cr0 cannot be changed from here: the guest changes it itself"


def test_a_function_of_32_bits_has_its_callers_at_each_instruction(tmp_path: Path) -> None:
    """In front of its frame, inside it, and where only the return is left."""
    source = tmp_path / "mine.c"
    source.write_text(CALLS_WITHIN_CALLS)
    guest = launch(build_guest(source, "hvm32"), GuestConfig(memory_mib=16))
    debugger = Debugger(guest.hv, symbols=Symbols(guest.image))
    execute(debugger, "break calls")
    execute(debugger, "continue")
    seen = []
    while (names := execute(debugger, "backtrace").split()[2::4])[0].partition("+")[0] != "test_main":
        seen.append([name.partition("+")[0] for name in names])
        debugger.step(1)
    callers = {"calls": ["test_main"], "within": ["calls", "test_main"]}
    assert len(seen) > 20 and {names[0] for names in seen} == set(callers)
    assert all(names[1 : 1 + len(callers[names[0]])] == callers[names[0]] for names in seen), seen


def test_code_ends_where_linear_addresses_end(tmp_path: Path) -> None:
    """The reset vector is 16 bytes in front of 4 GiB, and nothing is past that."""
    (tmp_path / "bios").write_bytes(bytes(65536 - 16) + b"\x90" * 15 + b"\xf4")
    guest = launch(None, GuestConfig(kind="hvm", firmware=tmp_path / "bios", memory_mib=4))
    vcpu = guest.domain.vcpus[0]
    assert [line.text for line in disassemble(vcpu, 0xFFFFFFF0, 40)] == ["nop"] * 15 + ["hlt"]
    debugger = Debugger(guest.hv, symbols=Symbols(guest.image))
    with pytest.raises(CommandError, match="memory at 0x100000000 is not mapped"):
        execute(debugger, "disassemble 0x100000000")


COMMANDS = {
    "debug": ["--line", "--command", "step 2", "--command", "where"],
    "trace": ["-e", "io", "--max-insns", "200"],
    "why": ["--max-insns", "200"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_take_a_pc(command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With firmware and disks, as hv run does."""
    loop = b"\xb0\x41\xba\xf8\x03\xee\xeb\xf9"                # mov al, 'A'; mov dx, 0x3f8; out dx, al; jmp
    (tmp_path / "bios").write_bytes(bytes(65536 - 16) + loop.ljust(16, b"\0"))
    (tmp_path / "disk").write_bytes(bytes(4096))
    made = ["--type", "hvm", "--memory", "4", "--firmware", str(tmp_path / "bios"), "--disk", str(tmp_path / "disk")]
    code = main([command, *made, *COMMANDS[command]])
    said = capfd.readouterr()
    shown = {"debug": "out dx, al", "trace": "0x3f8", "why": "no hypercall was refused"}
    assert code == (0 if command == "debug" else 7) and shown[command] in said.out + said.err
    if command == "debug":
        assert "0xfffffff5 = f000:fff5 in real mode" in said.out


def test_what_a_trace_calls_interrupts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """INT 10h calls the BIOS; vector 16 is #MF only where the processor raises it. A timer's interrupt has a vector."""
    # xor ax, ax; mov ds, ax; mov word [0x40], 0xffd5; mov word [0x42], 0xf000; mov sp, 0x1000; int 0x10; cli; hlt
    code = bytes.fromhex("31c0 8ed8 c7064000d5ff c706420000f0 bc0010 cd10 fa f4")
    reset = bytes.fromhex("eac0ff00f0")                             # at the reset vector: a jump to the code
    (tmp_path / "bios").write_bytes(bytes(65536 - 64) + code.ljust(48, b"\0") + reset.ljust(16, b"\0"))
    made = ["--type", "hvm", "--memory", "4", "--firmware", str(tmp_path / "bios"), "--max-insns", "20"]
    main(["trace", *made])
    assert "int 0x10 rip 0xffd5" in capfd.readouterr().err
    main(["run", *made, "--stats"])
    counted = capfd.readouterr().err
    assert [line.split()[-1] for line in counted.splitlines() if line.startswith("int 0x10 ")] == ["1"]
    assert "#MF" not in counted
    kernel = str(build_guest(find_guest("pit_interrupts"), "hvm64"))
    main(["trace", "--type", "hvm", "--memory", "16", "--firmware", kernel, "-e", "event"])
    assert "interrupt 0x" in capfd.readouterr().err
