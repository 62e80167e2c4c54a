"""What a stopped vcpu is about to do: where it stands, its instruction, and the hypercall that this makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hv import abi
from hv.arch import architecture
from hv.debug.calls import Call, decode_call, show
from hv.debug.calls import number as shown_number
from hv.debug.memory import read_linear, reader
from hv.debug.mode import linear_pc, mode_of
from isa.code import decoder

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.debug.symbols import Symbols
    from hv.vcpu import Vcpu

BAD = "(bad)"
"""The text of bytes that are no instruction."""
_STATES = ("running", "runnable", "blocked", "offline")
"""By number: RS_* of native/xen/state.h."""
_BACK = 1 << 12
"""Bytes from the start of a function up to which it is decoded from there, to find where instructions begin."""


class Line(NamedTuple):
    """One instruction. `target`: where a jump or call leads, or what it points to; else None."""

    address: int
    code: bytes
    text: str
    target: int | None


def disassemble(vcpu: Vcpu, address: int, count: int) -> list[Line]:
    """`count` instructions from a linear address on, as far as memory can be read; bytes that are none are one BAD.
    They are taken for code of the kind that the vcpu is executing."""
    code = mode_of(vcpu).code
    return decoded(read_linear(vcpu, address, count * decoder(code).longest), address, count, code)


def decoded(data: bytes, address: int, count: int, code: str) -> list[Line]:
    """The same of bytes that stand at an address, as code of a kind that isa.code knows."""
    (engine, longest, target), at = decoder(code), 0
    lines: list[Line] = []
    while at < len(data) and len(lines) < count:
        found = next(engine.disasm(data[at : at + longest], address + at, 1), None)
        if found is None:
            lines.append(Line(address + at, data[at : at + 1], BAD, None))
            at += 1
            continue
        text = f"{found.mnemonic} {found.op_str}".rstrip()
        lines.append(Line(address + at, bytes(found.bytes), text, target(found)))
        at += found.size
    return lines


def around(vcpu: Vcpu, symbols: Symbols, before: int, count: int) -> list[Line]:
    """`count` instructions with the next one among them, at most `before` in front of it: as many as can be told from
    the start of its function."""
    rip = linear_pc(vcpu)
    symbol = symbols.table.at(rip)
    earlier: list[Line] = []
    if symbol is not None and symbol.code and rip - symbol.start <= _BACK:
        lines = disassemble(vcpu, symbol.start, rip - symbol.start + 1)
        ends = [at for at, line in enumerate(lines) if line.address == rip]
        if ends:
            earlier = lines[max(ends[0] - before, 0) : ends[0]]
    return earlier + disassemble(vcpu, rip, count - len(earlier))


def line_text(line: Line, symbols: Symbols, current: bool = False) -> str:
    """An instruction for people: a mark where the vcpu stands, address, text, and the symbol that it speaks of."""
    place = symbols.at(line.target) if line.target is not None else None
    said = f"  ; {place}" if place else ""
    return f"{'->' if current else '  '} {line.address:#x}  {line.text}{said}"


def call_here(vcpu: Vcpu) -> Call | None:
    """The hypercall that the vcpu's next instruction makes, decoded; None when it is something else."""
    module = architecture(vcpu.domain.kind.abi, "mode")
    found = module.call_at(vcpu, module.mode_of(vcpu), lambda address, length: read_linear(vcpu, address, length))
    if found is None:
        return None
    name = abi.HYPERCALLS.get(found.number, f"hypercall {found.number}")
    return decode_call(name, found.arguments, reader(vcpu), found.abi)


def stack_words(vcpu: Vcpu, symbols: Symbols, count: int) -> list[tuple[int, str]]:
    """Up to `count` words from the top of the stack up, as wide as the code that runs is, as far as they can be read:
    (linear address, the word and what symbol it points to)."""
    mode = mode_of(vcpu)
    data = read_linear(vcpu, mode.sp, count * mode.word)
    words = []
    for at in range(0, len(data) - mode.word + 1, mode.word):
        word = int.from_bytes(data[at : at + mode.word], "little")
        place = symbols.at(word)
        shown = f"{word:0{2 * mode.word}x}"
        words.append((mode.sp + at, f"{shown} {place}" if place else shown))
    return words


def who(vcpu: Vcpu) -> str:
    """`d1v0`."""
    return f"d{vcpu.domain.domid}v{vcpu.id}"


def place_text(vcpu: Vcpu, symbols: Symbols) -> str:
    """Where the vcpu stands: linear address, symbol, file and line as far as they are known; segment and offset, and
    what kind of code it is, if it is not of 64 bits; user mode."""
    mode = mode_of(vcpu)
    where = symbols.describe(mode.pc)
    words = [f"{mode.pc:#x}", where] if where else [f"{mode.pc:#x}"]
    if mode.segment:
        words.append(f"= {mode.segment}")
    if mode.bits != 64:
        words.append(f"in {mode.name}")
    return " ".join([*words, "in user mode"] if mode.user else words)


def doing(vcpu: Vcpu) -> str:
    """What the scheduler says of the vcpu, or how its domain has ended."""
    ended = vcpu.domain.shutdown_name
    return f"ended: {ended}" if ended else _STATES[vcpu.c.runstate] if vcpu.c.runstate < len(_STATES) else "unknown"


def where(debugger: Debugger) -> str:
    """What is printed after each movement: position, vcpu and place; the instruction; the hypercall if it makes one."""
    vcpu, symbols = debugger.vcpu, debugger.symbols
    lines = [f"{debugger.timeline.position}  {who(vcpu)}  {place_text(vcpu, symbols)}"]
    found = disassemble(vcpu, linear_pc(vcpu), 1)
    lines.append(line_text(found[0], symbols, True) if found else "-> memory there is not mapped")
    call = call_here(vcpu)
    if call is not None:
        lines.append(f"   {call.text()}")
    return "\n".join(lines + displays(debugger))


def displays(debugger: Debugger) -> list[str]:
    """The expressions that are to be shown at each stop, with their values."""
    lines = []
    for number, (text, value) in debugger.displays.items():
        try:
            found = value(debugger.vcpu)
            place = debugger.symbols.at(found)
            lines.append(f"{number}: {text} = {found:#x} ({found}){f' {place}' if place else ''}")
        except ValueError as error:
            lines.append(f"{number}: {text}: {error}")
    return lines


def call_lines(call: Call) -> list[str]:
    """A decoded hypercall with one field a line, those of structures behind their argument's name."""
    lines = [call.name if call.subop is None else f"{call.name}.{call.subop}"]
    for argument in call.arguments:
        if argument.content is None:
            lines.append(f"{argument.name}={argument.word or shown_number(argument.name, argument.value)}")
            continue
        contents = argument.content if isinstance(argument.content, list) else [argument.content]
        for at, content in enumerate(contents):
            name = f"{argument.name}[{at}]" if len(contents) > 1 else argument.name
            text = show(content, call.structures.get(argument.name, ""))
            fields = _fields(text[1:-1]) if text.startswith("{") else [text]
            lines += [f"{name}.{field}" if text.startswith("{") else f"{name}={field}" for field in fields]
    return lines


def _fields(text: str) -> list[str]:
    """`a=1, b={c=2, d=3}` in two: at the commas that stand in no bracket and no string."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, char in enumerate(text):
        if char == '"' and text[at - 1 : at] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (char in "{[(") - (char in ")]}")
            if char == "," and depth == 0:
                parts.append(text[start:at].strip())
                start = at + 1
    return [*parts, text[start:].strip()]
