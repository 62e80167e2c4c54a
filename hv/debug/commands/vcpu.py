"""Commands about the vcpu that stands here: choosing it, its registers, its code and its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch import architecture
from hv.debug.commands import CommandError, command
from hv.debug.commands.arguments import address, counts, evaluate, limited, number
from hv.debug.here import around, disassemble, doing, line_text, place_text, stack_words, who
from hv.debug.mode import linear_pc, mode_of
from hv.debug.symbols.stack import backtrace

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.vcpu import Vcpu

_MOST = 1000


@command("registers", "", "the registers of the vcpu")
def registers(debugger: Debugger, args: list[str]) -> str:
    """General, flags, selectors, and the page tables that the hypervisor keeps for it."""
    counts(args, 0, 0, "registers")
    vcpu = debugger.vcpu
    place = f"{who(vcpu)} {place_text(vcpu, debugger.symbols)}"
    return "\n".join([place, *architecture(vcpu.domain.kind.abi, "report").register_lines(vcpu)])


@command("print", "EXPRESSION", "the value of an expression: rax, symbol, *ADDRESS")
def print_(debugger: Debugger, args: list[str]) -> str:
    """In hexadecimal and decimal, with the symbol that it is the address of."""
    counts(args, 1, _MOST, "print EXPRESSION")
    value = evaluate(debugger, " ".join(args), "print")
    place = debugger.symbols.at(value)
    return f"{value:#x} ({value}){f' {place}' if place else ''}"


@command("disassemble", "[ADDRESS] [N]", "N instructions (default 10) there, or around rip")
def disassemble_(debugger: Debugger, args: list[str]) -> str:
    """The arrow marks the next instruction."""
    counts(args, 0, 2, "disassemble [ADDRESS] [N]")
    vcpu, symbols = debugger.vcpu, debugger.symbols
    rip = linear_pc(vcpu)
    count = limited(args, 1, 10, "disassemble", _MOST)
    if args:
        start = address(debugger, args[0], "disassemble")
        lines = disassemble(vcpu, start, count)
    else:
        start, lines = rip, around(vcpu, symbols, 3, count)
    if not lines:
        raise CommandError(f"disassemble: memory at {start:#x} is not mapped")
    out: list[str] = []
    for line in lines:
        place = symbols.at(line.address)
        if place is not None and (not out or place.offset == 0):
            out.append(f"{place}:")
        out.append(line_text(line, symbols, line.address == rip))
    return "\n".join(out)


@command("stack", "[N]", "N words (default 16) from rsp up, with symbols")
def stack(debugger: Debugger, args: list[str]) -> str:
    """One a line."""
    counts(args, 0, 1, "stack [N]")
    words = stack_words(debugger.vcpu, debugger.symbols, limited(args, 0, 16, "stack", _MOST))
    if not words:
        raise CommandError(f"stack: memory at {mode_of(debugger.vcpu).sp:#x}, the top of it, is not mapped")
    return "\n".join(f"{at:#x}  {text}" for at, text in words)


@command("backtrace", "[N]", "the call stack, innermost first; ? marks a guess")
def backtrace_(debugger: Debugger, args: list[str]) -> str:
    """By CFI, ORC, frame pointers, or a guess."""
    counts(args, 0, 1, "backtrace [N]")
    frames = backtrace(debugger.vcpu, debugger.symbols, limited(args, 0, 32, "backtrace", _MOST))
    return "\n".join(f"#{depth} {frame}" for depth, frame in enumerate(frames))


@command("vcpus", "", "the vcpus of all domains; * is the chosen one")
def vcpus(debugger: Debugger, args: list[str]) -> str:
    """With what they do and where they stand."""
    counts(args, 0, 0, "vcpus")
    return "\n".join(_line(debugger, vcpu) for vcpu in debugger.vcpus)


def _line(debugger: Debugger, vcpu: Vcpu) -> str:
    mark = "*" if vcpu.slot == debugger.vcpu.slot else " "
    return f"{mark} {who(vcpu)}  {doing(vcpu):<8} {place_text(vcpu, debugger.symbols)}"


@command("vcpu", "[DOMID.]N", "choose a vcpu, until the next movement")
def vcpu_(debugger: Debugger, args: list[str]) -> str:
    """Of this domain unless another is named."""
    counts(args, 1, 1, "vcpu [DOMID.]N")
    domid_text, dot, vcpu_text = args[0].rpartition(".")
    domid = number(domid_text, "vcpu") if dot else debugger.domain.domid
    wanted = number(vcpu_text, "vcpu")
    for vcpu in debugger.vcpus:
        if (vcpu.domain.domid, vcpu.id) == (domid, wanted):
            debugger.choose(vcpu)
            return _line(debugger, vcpu)
    raise CommandError(f"vcpu: domain {domid} has no vcpu {wanted} that has been started; vcpus lists them")
