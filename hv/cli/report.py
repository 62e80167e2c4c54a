"""The report of a crashed guest:

registers, code, stack, page walk, and what happened last. For people, on stderr.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv import abi
from hv.arch import architecture
from hv.debug.here import BAD, decoded
from hv.debug.mode import mode_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from hv.debug.symbols import Symbols
    from hv.debug.trace import Trap
    from hv.domain import Domain
    from hv.vcpu import Vcpu

_STACK_WORDS = 16
_CODE_AFTER, _CODE_LINES = 48, 8


def crash_report(domain: Domain, vcpu: Vcpu, reason: str, traps: Sequence[Trap] | None, symbols: Symbols) -> str:
    """The whole report; `reason` is what the hypervisor says of the crash, `traps` the last of the log, oldest first
    (None: they are not known), `symbols` those of the guest's kernel."""
    arch, mode = architecture(domain.kind.abi, "report"), mode_of(vcpu)
    read = vcpu.peek if domain.translated else vcpu.read
    kind = "" if mode.bits == 64 else f", {mode.name}"
    lines = [
        f"domain {domain.name} (d{domain.domid}) crashed on vcpu {vcpu.id}: {reason}",
        f"after {int(domain.hv.state.retired)} instructions, in guest "
        f"{'user' if mode.user else 'kernel'} mode{kind}{_place(mode.pc, symbols)}",
        "",
        *arch.register_lines(vcpu),
        *_upcalls(domain, vcpu),
        "",
        *code(mode.pc, read, mode.code, vcpu.arch.PC),
        "",
        *stack(mode.sp, read, mode.word, vcpu.arch.STACK),
        "",
        *call_stack(vcpu, symbols),
    ]
    lines += ["", *arch.walk_lines(vcpu, *faulting_address(traps, mode.pc, arch.PAGE_FAULTS)), ""]
    if traps is None:
        lines.append("last traps: they are not in the file")
    else:
        lines += [f"last {len(traps)} traps:", *([f"  {trap.line()}" for trap in traps] or ["  none"])]
    return "\n".join(lines) + "\n"


def _upcalls(domain: Domain, vcpu: Vcpu) -> list[str]:
    """The upcall state of a vcpu's vcpu_info."""
    c = vcpu.c
    if not c.info_pa:
        return [] if domain.translated else ["  no vcpu_info is registered"]
    layout = abi.layout("vcpu_info", domain.abi)
    info = domain.read(int(c.info_pa), layout.size)
    pending, mask = (info[layout.offset(f"evtchn_upcall_{name}")] for name in ("pending", "mask"))
    return [f"  events {'pending' if pending else 'none pending'}, upcalls {'masked' if mask else 'enabled'}"]


def code(pc: int, read: Callable[[int, int], bytes | None], kind: str, name: str) -> list[str]:
    """The instructions from a linear address on, code of a kind that isa.code knows. name: the register's."""
    data = readable(pc, _CODE_AFTER, read)
    if not data:
        return [f"code at {name}: {pc:#x} cannot be read"]
    lines = [f"code at {name}:"]
    for line in decoded(data, pc, _CODE_LINES, kind):
        text = line.text if line.text != BAD else "(no instruction)"
        lines.append(f"{'->' if line.address == pc else '  '} {line.address:#018x}  {line.code.hex(' '):<30} {text}")
    return lines


def stack(sp: int, read: Callable[[int, int], bytes | None], word: int, name: str) -> list[str]:
    """Words of so many bytes from the top of the stack up, four a line. name: the register's."""
    data = readable(sp, _STACK_WORDS * word, read)
    if len(data) < word:
        return [f"stack: {name} {sp:#x} cannot be read"]
    words = [int.from_bytes(data[at : at + word], "little") for at in range(0, len(data) - word + 1, word)]
    return [f"stack at {name}:"] + [
        f"   {sp + word * at:#018x}  " + " ".join(f"{value:0{2 * word}x}" for value in words[at : at + 4])
        for at in range(0, len(words), 4)
    ]


def _place(pc: int, symbols: Symbols) -> str:
    where = symbols.describe(pc)
    return f", at {where}" if where else ""


def call_stack(vcpu: Vcpu, symbols: Symbols) -> list[str]:
    """Who called whom, innermost first, and what of the kernel's symbols could not be read."""
    from hv.debug.symbols.stack import backtrace

    frames = backtrace(vcpu, symbols)
    if not len(symbols.table):
        return [*symbols.warnings, "call stack: the kernel has no symbols"]
    return [*symbols.warnings, "call stack (?: a guess):", *(f"   {frame}" for frame in frames)]


def readable(address: int, length: int, read: Callable[[int, int], bytes | None]) -> bytes:
    """As many bytes from `address` on as are mapped, `length` at most."""
    out = b""
    while length > 0 and address < 1 << 64:
        part = min(length, 4096 - (address & 4095))
        data = read(address, part)
        if data is None:
            break
        out += data
        address, length = address + part, length - part
    return out


def faulting_address(traps: Sequence[Trap] | None, pc: int, faults: Container[int]) -> tuple[int, str]:
    """The address whose translation is of interest: that of the last page fault (`faults`: the numbers of
    such exceptions), else the next instruction's, `pc`."""
    if traps is None:
        return pc, "the next instruction; a page fault would not be in the file"
    for trap in reversed(traps):
        if trap.kind == "exception" and trap.number in faults and not trap.emulated:
            return trap.address, f"the last page fault (error {trap.error:#x})"
    return pc, "the next instruction; there was no page fault"
