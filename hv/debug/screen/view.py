"""What the screen shows at one stop, as plain text: worked out where the guest is at rest, drawn elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hv.debug.commands import CommandError
from hv.debug.commands.outside import console_of, printable
from hv.debug.here import around, call_here, call_lines, displays, place_text, stack_words, who
from hv.debug.mode import mode_of
from hv.debug.trace_text import answer, line

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.debug.here import Line
    from hv.debug.records import Trap
    from hv.debug.symbols import Symbols
    from hv.inputs import History

WINDOW = 100
"""Records of the timeline before and behind a stop that are looked up at once."""
_STACK = 40
"""Words of the stack."""
_CONSOLE = 1 << 14
"""Bytes of the console's end that are shown."""


@dataclass(frozen=True)
class Moment:
    """One record of the timeline: where to go to, and what happens there."""

    count: int
    text: str


@dataclass(frozen=True)
class Window:
    """A stretch of the timeline, from `begin` up to `end`. It holds as long as the last input of the run is `tip`.
    made: somebody has looked; else nothing is in it. cut: but not all the way, for something else was to be done."""

    begin: int
    end: int
    tip: History | None
    traps: tuple[Trap, ...]
    moments: tuple[Moment, ...]
    made: bool = True
    cut: bool = False

    def covers(self, count: int) -> bool:
        """Whether what happens around a count is in it."""
        return self.made and not self.cut and self.begin < count < self.end


@dataclass(frozen=True)
class View:
    """All panes. code: (is it the next instruction, text). registers: (name, value as text, changed since the last
    stop). call: the hypercall about to be made or just made, a field a line; empty without one."""

    title: str
    count: int
    code: list[tuple[bool, str]]
    registers: list[tuple[str, str, bool]]
    stack: list[str]
    call: list[str]
    displays: list[str]
    console: str
    window: Window
    values: dict[str, int] = field(default_factory=dict)


def look(debugger: Debugger, before: View | None, rows: int) -> View:
    """The view of where the debugger stands. before: the last one; where its window does not reach, the new view has
    none that is made, and look_around() makes it. rows: lines of code, of which some lie before rip."""
    vcpu, symbols = debugger.vcpu, debugger.symbols
    mode = mode_of(vcpu)
    flags = vcpu.arch.FLAGS
    values = vcpu.registers | {flags: vcpu.arch.OTHERS[flags](vcpu)}
    old = before.values if before else values
    count = debugger.hv.instructions
    window = Window(count, count, debugger.timeline.tip, (), (), made=False)
    if before is not None and before.window.covers(count) and before.window.tip is window.tip:
        window = before.window
    return View(
        title=f"{debugger.timeline.position}  {who(vcpu)}  {place_text(vcpu, symbols)}",
        count=count,
        code=_code(around(vcpu, symbols, max(rows // 3, 1), max(rows, 2)), mode.pc, symbols),
        registers=[
            (name, _shown(values[name], name == flags), values[name] != old.get(name))
            for name in (*vcpu.arch.GENERAL, flags)
        ],
        stack=[
            f"+{at - mode.sp:<3x} {text}" for at, text in stack_words(vcpu, symbols, _STACK)
        ] or [f"{vcpu.arch.STACK} is not mapped"],
        call=_call(debugger, window, count),
        displays=displays(debugger),
        console=_console(debugger),
        window=window,
        values=values,
    )


def look_around(debugger: Debugger, view: View, records: int = WINDOW) -> View:
    """The same view with its window. records: how many of the timeline in each direction."""
    window = window_here(debugger, records)
    return replace(view, window=window, call=_call(debugger, window, view.count))


def window_here(debugger: Debugger, records: int) -> Window:
    """The stretch of the timeline around here."""
    earlier, later = debugger.past.before(records), debugger.past.after(records)
    traps = (*earlier.found, *later.found)
    begin = earlier.found[0].when if len(earlier.found) == records else earlier.reached - 1
    end = later.found[-1].when if len(later.found) == records else later.reached + 1
    moments = tuple(Moment(trap.when, _moment(trap)) for trap in traps)
    return Window(begin, end, debugger.timeline.tip, traps, moments, cut=debugger.past.cut)


def _moment(trap: Trap) -> str:
    """A record in one line, as narrow as may be."""
    count, _, rest = line(trap).lstrip().partition(" ")
    return f"{count:>10} {rest}"


def _code(lines: list[Line], rip: int, symbols: Symbols) -> list[tuple[bool, str]]:
    """With a headline where a function begins, and the distance from there instead of addresses."""
    out: list[tuple[bool, str]] = []
    if not lines:
        return [(True, f"{rip:#x}: memory there is not mapped")]
    name = None
    for one in lines:
        place = symbols.at(one.address)
        target = symbols.at(one.target) if one.target is not None else None
        if place is not None and place.name != name:
            name = place.name
            out.append((False, f"{name}:"))
        where = f"+{place.offset:<4x}" if place is not None else f"{one.address:x}"
        text = f"{one.text}{f' ; {target}' if target else ''}"
        out.append((one.address == rip, f"{'>' if one.address == rip else ' '}{where} {text}"))
    return out


def _call(debugger: Debugger, window: Window, count: int) -> list[str]:
    call = call_here(debugger.vcpu)
    if call is not None:
        head, *fields = call_lines(call)
        return [f"next: {head}", *fields]
    made = [trap for trap in window.traps if trap.kind == "hypercall" and trap.when == count - 1]
    if not made:
        return []
    head, *fields = call_lines(made[-1].call())
    return [f"made: {head} = {answer(made[-1])}", *fields]


def _shown(value: int, flags: bool) -> str:
    """With 16 digits; flags with 8, as nothing is above them."""
    return f"{'':5}{value:08x}" if flags else f"{value:016x}"


def _console(debugger: Debugger) -> str:
    try:
        output = bytes(console_of(debugger).output[-_CONSOLE:])
    except CommandError as error:
        return str(error)
    return printable(output.decode("utf-8", "replace"))
