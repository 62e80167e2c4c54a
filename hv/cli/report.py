"""The report of a crashed guest:

registers, code, stack, page walk, and what happened last. For people, on stderr.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv import abi
from hv.debug.here import BAD, decoded
from hv.debug.mode import cr2_of, cr3_of, mode_of
from hv.debug.walk_text import guest_walk_text
from hv.native import lib
from hv.paging.walk import canonical, flags, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hv.debug.symbols import Symbols
    from hv.debug.trace import Trap
    from hv.domain import Domain
    from hv.vcpu import Vcpu

_STACK_WORDS = 16
_CODE_AFTER, _CODE_LINES = 48, 8
_RFLAGS = (
    (0, "CF"), (2, "PF"), (4, "AF"), (6, "ZF"), (7, "SF"), (8, "TF"), (9, "IF"), (10, "DF"), (11, "OF"), (14,
    "NT"), (16, "RF"), (18, "AC"), (21, "ID"),
)  # fmt: skip
_SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs")


def crash_report(domain: Domain, vcpu: Vcpu, reason: str, traps: Sequence[Trap] | None, symbols: Symbols) -> str:
    """The whole report; `reason` is what the hypervisor says of the crash, `traps` the last of the log, oldest first
    (None: they are not known), `symbols` those of the guest's kernel."""
    state, mode = vcpu.state(), mode_of(vcpu)
    read = vcpu.peek if domain.translated else vcpu.read
    kind = "" if mode.bits == 64 else f", {mode.name}"
    lines = [
        f"domain {domain.name} (d{domain.domid}) crashed on vcpu {vcpu.id}: {reason}",
        f"after {int(domain.hv.state.retired)} instructions, in guest "
        f"{'user' if mode.user else 'kernel'} mode{kind}{_place(mode.pc, symbols)}",
        "",
        *registers(vcpu.registers, int(state.rflags), segments(state)),
        *control(vcpu, state),
        *_upcalls(domain, vcpu),
        "",
        *code(mode.pc, read, mode.bits),
        "",
        *stack(mode.sp, read, mode.word),
        "",
        *call_stack(vcpu, symbols),
    ]
    address, why = faulting_address(traps, mode.pc)
    if domain.translated:
        walked = [f"page walk: {why}", *(f"   {line}" for line in guest_walk_text(vcpu, address).splitlines())]
    else:
        walked = page_walk(domain, cr3_of(vcpu) >> 12, address, why)
    lines += ["", *walked, ""]
    if traps is None:
        lines.append("last traps: they are not in the file")
    else:
        lines += [f"last {len(traps)} traps:", *([f"  {trap.line()}" for trap in traps] or ["  none"])]
    return "\n".join(lines) + "\n"


def segments(state: Any) -> dict[str, tuple[int, int]]:
    """Selector and base of each segment register, of a `struct x86_state`."""
    return {
        name: (int(state.segments[number].selector), int(state.segments[number].base))
        for number, name in enumerate(_SEGMENTS)
    }


def registers(gprs: dict[str, int], rflags: int, selectors: dict[str, tuple[int, int]]) -> list[str]:
    """General registers four a line, flags by name, selectors with the bases that count."""
    names = [
        "rip",
        "rsp",
        "rbp",
        "rax",
        "rbx",
        "rcx",
        "rdx",
        "rsi",
        "rdi",
        *(f"r{number}" for number in range(8, 16)),
    ]
    cells = [f"{name:>3} {gprs[name]:016x}" for name in names]
    lines = ["  " + "  ".join(cells[at : at + 4]) for at in range(0, len(cells), 4)]
    named = " ".join(name for bit, name in _RFLAGS if rflags >> bit & 1)
    lines.append(f"  rflags {rflags:08x} {named} iopl {rflags >> 12 & 3}")
    lines.append(
        "  "
        + "  ".join(f"{name} {selector:04x}" for name, (selector, _) in selectors.items())
        + "".join(f"  {name}_base {selectors[name][1]:x}" for name in ("fs", "gs"))
    )
    return lines


def control(vcpu: Vcpu, state: Any) -> list[str]:
    """Control registers: a whole processor's, or what the hypervisor keeps in their place for a PV guest's vcpu, whose
    state it is."""
    if not vcpu.domain.translated:
        tables = f"cr3 kernel {int(vcpu.c.cr3_kernel):#x} user {int(vcpu.c.cr3_user):#x}"
        return [f"  cr2 {cr2_of(vcpu):#x}  {tables}"]
    bases = "  ".join(f"{name}_base {base:x}" for name, (_, base) in segments(state).items() if name[0] in "ecsd")
    lines = [] if mode_of(vcpu).bits == 64 else [f"  {bases}"]
    values = {"cr0": state.cr0, "cr2": cr2_of(vcpu), "cr3": state.cr3, "cr4": state.cr4, "efer": state.efer}
    lines.append("  " + "  ".join(f"{name} {int(value):x}" for name, value in values.items()))
    gdt, idt = ((int(getattr(state, f"{name}_base")), int(getattr(state, f"{name}_limit"))) for name in ("gdt", "idt"))
    task = int(state.segments[lib.SEG_TR].selector)
    return [*lines, f"  gdt {gdt[0]:x}+{gdt[1]:x}  idt {idt[0]:x}+{idt[1]:x}  tr {task:04x}"]


def _upcalls(domain: Domain, vcpu: Vcpu) -> list[str]:
    """The upcall state of a vcpu's vcpu_info."""
    c = vcpu.c
    if not c.info_pa:
        return [] if domain.translated else ["  no vcpu_info is registered"]
    layout = abi.layout("vcpu_info", domain.abi)
    info = domain.read(int(c.info_pa), layout.size)
    pending, mask = (info[layout.offset(f"evtchn_upcall_{name}")] for name in ("pending", "mask"))
    return [f"  events {'pending' if pending else 'none pending'}, upcalls {'masked' if mask else 'enabled'}"]


def code(pc: int, read: Callable[[int, int], bytes | None], bits: int = 64) -> list[str]:
    """The instructions from a linear address on, of 64, 32 or 16 bits."""
    data = readable(pc, _CODE_AFTER, read)
    if not data:
        return [f"code at rip: {pc:#x} cannot be read"]
    lines = ["code at rip:"]
    for line in decoded(data, pc, _CODE_LINES, bits):
        text = line.text if line.text != BAD else "(no instruction)"
        lines.append(f"{'->' if line.address == pc else '  '} {line.address:#018x}  {line.code.hex(' '):<30} {text}")
    return lines


def stack(sp: int, read: Callable[[int, int], bytes | None], word: int = 8) -> list[str]:
    """Words of so many bytes from the top of the stack up, four a line."""
    data = readable(sp, _STACK_WORDS * word, read)
    if len(data) < word:
        return [f"stack: rsp {sp:#x} cannot be read"]
    words = [int.from_bytes(data[at : at + word], "little") for at in range(0, len(data) - word + 1, word)]
    return ["stack at rsp:"] + [
        f"   {sp + word * at:#018x}  " + " ".join(f"{value:0{2 * word}x}" for value in words[at : at + 4])
        for at in range(0, len(words), 4)
    ]


def _place(rip: int, symbols: Symbols) -> str:
    where = symbols.describe(rip)
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


def faulting_address(traps: Sequence[Trap] | None, rip: int) -> tuple[int, str]:
    """The address whose translation is of interest: that of the last page fault, else rip."""
    if traps is None:
        return rip, "rip; a page fault would not be in the file"
    for trap in reversed(traps):
        if trap.kind == "exception" and trap.number == 14 and not trap.emulated:
            return trap.address, f"the last page fault (error {trap.error:#x})"
    return rip, "rip; there was no page fault"


def page_walk(domain: Domain, root: int, address: int, why: str) -> list[str]:
    """How `address` is translated, entry by entry, with the owner's view of the last frame."""
    lines = [f"page walk of {canonical(address):#018x}: {why}"]
    if not root:
        return [*lines, "   there is no page table for this mode"]
    if canonical(address) != address:
        return [*lines[:0], f"page walk of {address:#018x}: {why}", "   the address is not canonical"]
    for step in walk(domain.frame, root, address):
        entry = f"{step.entry:#018x} {flags(step.entry)}"
        lines.append(f"   L{step.level} frame {step.table:#x} entry {step.slot:3}: {entry}")
    return lines
