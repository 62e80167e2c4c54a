"""What the report of a crash, and the debugger, say of an x86 vcpu: its registers, and how an address is translated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv.arch.x86.mode import mode_of
from hv.arch.x86.paging.walk import FRAME_MASK, LARGE, canonical, flags, walk
from hv.arch.x86.registers import cr2, cr3
from hv.arch.x86.walk_text import guest_walk_text
from hv.native import lib
from hv.page_info import frame_text, pfn_text

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.vcpu import Vcpu

PAGE_FAULTS = (14,)
_RFLAGS = (
    (0, "CF"), (2, "PF"), (4, "AF"), (6, "ZF"), (7, "SF"), (8, "TF"), (9, "IF"), (10, "DF"), (11, "OF"), (14,
    "NT"), (16, "RF"), (18, "AC"), (21, "ID"),
)  # fmt: skip
_SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs")


def register_lines(vcpu: Vcpu) -> list[str]:
    """General registers, flags, selectors, control registers."""
    state = vcpu.state()
    return [*registers(vcpu.registers, int(state.rflags), segments(state)), *control(vcpu, state)]


def guest_walk(vcpu: Vcpu, address: int) -> list[str]:
    """How an address is translated; of a PV guest with the hypervisor's view of each table. ValueError: not at all."""
    domain = vcpu.domain
    if domain.translated:
        return guest_walk_text(vcpu, address).splitlines()
    root = int(vcpu.c.cr3_kernel if vcpu.c.kernel_mode else vcpu.c.cr3_user) >> 12
    if not root:
        raise ValueError("the vcpu has no page table for this mode")
    if canonical(address) != address:
        raise ValueError(f"{address:#x} is not canonical; bits 63 to 47 must be equal")
    steps = walk(domain.frame, root, address)
    lines = [f"{address:#x} by the table in frame {root:#x}"]
    for step in steps:
        lines.append(f"L{step.level} frame {step.table:#x}: {frame_text(domain.hv, step.table)}")
        lines.append(f"   entry {step.slot:3}: {step.entry:#018x} {flags(step.entry)}")
    last = steps[-1] if steps else None
    if last is None or not last.present or (last.level > 1 and not last.entry & LARGE):
        return [*lines, "not mapped"]
    size = 1 << (3 + 9 * last.level)
    mfn = ((last.entry & FRAME_MASK & -size) + (address & size - 1)) >> 12
    return [*lines, f"-> frame {mfn:#x}: {frame_text(domain.hv, mfn)}; {pfn_text(domain.hv, mfn)}"]


def entry_flags(entry: int) -> str:
    """The bits of a page-table entry as letters."""
    return flags(entry)


def walk_lines(vcpu: Vcpu, address: int, why: str) -> list[str]:
    """How an address is translated, `why` it is of interest."""
    domain = vcpu.domain
    if domain.translated:
        return [f"page walk: {why}", *(f"   {line}" for line in guest_walk_text(vcpu, address).splitlines())]
    return page_walk(domain, cr3(vcpu) >> 12, address, why)


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
        return [f"  cr2 {cr2(vcpu):#x}  {tables}"]
    bases = "  ".join(f"{name}_base {base:x}" for name, (_, base) in segments(state).items() if name[0] in "ecsd")
    lines = [] if mode_of(vcpu).bits == 64 else [f"  {bases}"]
    values = {"cr0": state.cr0, "cr2": cr2(vcpu), "cr3": state.cr3, "cr4": state.cr4, "efer": state.efer}
    lines.append("  " + "  ".join(f"{name} {int(value):x}" for name, value in values.items()))
    gdt, idt = ((int(getattr(state, f"{name}_base")), int(getattr(state, f"{name}_limit"))) for name in ("gdt", "idt"))
    task = int(state.segments[lib.SEG_TR].selector)
    return [*lines, f"  gdt {gdt[0]:x}+{gdt[1]:x}  idt {idt[0]:x}+{idt[1]:x}  tr {task:04x}"]


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
