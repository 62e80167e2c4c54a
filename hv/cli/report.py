"""The report of a crashed guest:

registers, code, stack, page walk, and what happened last. For people, on stderr.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv import abi
from hv.paging.walk import canonical, flags, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hv.debug.symbols import Symbols
    from hv.debug.trace import Trap
    from hv.domain import Domain
    from hv.vcpu import Vcpu

_STACK_WORDS = 16
_CODE_BEFORE, _CODE_AFTER = 0, 48
_RFLAGS = (
    (0, "CF"), (2, "PF"), (4, "AF"), (6, "ZF"), (7, "SF"), (8, "TF"), (9, "IF"), (10, "DF"), (11, "OF"), (14,
    "NT"), (16, "RF"), (18, "AC"), (21, "ID"),
)  # fmt: skip
_SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs")


def crash_report(domain: Domain, vcpu: Vcpu, reason: str, traps: Sequence[Trap] | None, symbols: Symbols) -> str:
    """The whole report; `reason` is what the hypervisor says of the crash, `traps` the last of the log, oldest first
    (None: they are not known), `symbols` those of the guest's kernel."""
    state = vcpu.state()
    read = vcpu.read
    lines = [
        f"domain {domain.name} (d{domain.domid}) crashed on vcpu {vcpu.id}: {reason}",
        f"after {int(domain.hv.state.retired)} instructions, in guest "
        f"{'kernel' if vcpu.c.kernel_mode else 'user'} mode{_place(int(state.gprs.rip), symbols)}",
        "",
        *registers(vcpu.registers, int(state.rflags), segments(state)),
        *_control(domain, vcpu),
        "",
        *code(int(state.gprs.rip), read),
        "",
        *stack(int(state.gprs.rsp), read),
        "",
        *call_stack(vcpu, symbols),
    ]
    address, why = faulting_address(traps, int(state.gprs.rip))
    root = int(vcpu.c.cr3_kernel if vcpu.c.kernel_mode else vcpu.c.cr3_user) >> 12
    lines += ["", *page_walk(domain, root, address, why), ""]
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


def _control(domain: Domain, vcpu: Vcpu) -> list[str]:
    """What the hypervisor keeps for the vcpu: page tables, and the upcall state of its vcpu_info."""
    c = vcpu.c
    line = f"  cr3 kernel {int(c.cr3_kernel):#x} user {int(c.cr3_user):#x}"
    if not c.info_pa:
        return [line, "  no vcpu_info is registered"]
    layout = abi.layout("vcpu_info", domain.abi)
    info = domain.read(int(c.info_pa), layout.size)
    pending, mask = (info[layout.offset(f"evtchn_upcall_{name}")] for name in ("pending", "mask"))
    return [
        line,
        f"  events {'pending' if pending else 'none pending'}, upcalls {'masked' if mask else 'enabled'}",
    ]


def code(rip: int, read: Callable[[int, int], bytes | None]) -> list[str]:
    """The instructions from rip on."""
    data = readable(rip, _CODE_AFTER, read)
    if not data:
        return [f"code at rip: {rip:#x} cannot be read"]
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    lines = ["code at rip:"]
    at = 0
    for address, size, mnemonic, operands in engine.disasm_lite(data, rip):
        text = f"{mnemonic} {operands}".rstrip()
        lines.append(
            f"{'->' if address == rip else '  '} {address:#018x}  {data[at : at + size].hex(' '):<30} {text}"
        )
        at += size
    if at == 0:
        lines.append(f"-> {rip:#018x}  {data[:15].hex(' '):<30} (no instruction)")
    return lines[:9]


def stack(rsp: int, read: Callable[[int, int], bytes | None]) -> list[str]:
    """Words from rsp up, four a line."""
    data = readable(rsp, _STACK_WORDS * 8, read)
    if len(data) < 8:
        return [f"stack: rsp {rsp:#x} cannot be read"]
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data) - 7, 8)]
    return ["stack at rsp:"] + [
        f"   {rsp + 8 * at:#018x}  " + " ".join(f"{word:016x}" for word in words[at : at + 4])
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
