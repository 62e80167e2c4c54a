"""Commands that set, list and delete stop points."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hv.arch.exceptions import exceptions_of
from hv.debug import stops
from hv.debug.commands import CommandError, command
from hv.debug.commands.arguments import address, counts, limited, number
from hv.debug.commands.conditions import on_expression, on_field
from hv.native import NativeError, lib

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.debug.stops import StopPoint

_LARGEST_WATCH = 1 << 20
_DEFAULT_SIZE = 8


def _add(debugger: Debugger, point: StopPoint) -> str:
    """Set it, if C has room for one more."""
    try:
        stops.set_stops(debugger.hv, [*debugger.points.values(), point])
    except NativeError:
        raise CommandError(
            f"there is no room for {point.label}: at most {lib.HV_STOPS_MAX} stop points are possible, "
            f"{lib.ENGINE_WATCHPOINTS} of them for memory; delete some"
        ) from None
    finally:
        stops.set_stops(debugger.hv, [])
    return f"{debugger.add(point)}: {point.label}"


def _split(args: list[str]) -> tuple[list[str], str]:
    """The arguments before `if`, and what is behind it as one text."""
    if "if" not in args:
        return args, ""
    at = args.index("if")
    text = " ".join(args[at + 1 :])
    if not text:
        raise CommandError("nothing follows if; give a condition")
    return args[:at], text


def _conditional(label: str, text: str) -> str:
    return f"{label} if {text}" if text else label


@command("break", "ADDRESS|SYMBOL|FILE:LINE [if EXPRESSION]", "stop before an instruction")
def break_(debugger: Debugger, args: list[str]) -> str:
    """Where memory that the expression asks for is not mapped, it is false."""
    words, text = _split(args)
    counts(words, 1, 1, "break ADDRESS|SYMBOL|FILE:LINE [if EXPRESSION]")
    at = address(debugger, words[0], "break")
    place = debugger.symbols.describe(at)
    label = f"{at:#x}{f' {place}' if place else ''}"
    condition = on_expression(debugger, text) if text else None
    return _add(debugger, stops.instruction(at, _conditional(label, text), condition=condition))


def _watch(debugger: Debugger, args: list[str], name: str, kinds: int) -> str:
    counts(args, 1, 2, f"{name} ADDRESS [SIZE]")
    at = address(debugger, args[0], name)
    size = limited(args, 1, _natural_size(debugger, at), name, _LARGEST_WATCH)
    if at + size > 1 << 64:
        raise CommandError(f"{name}: {size} bytes at {at:#x} run off the end of memory")
    place = debugger.symbols.at(at)
    label = f"{name} {at:#x}{f' {place}' if place else ''} ({size} bytes)"
    return _add(debugger, stops.access(at, size, kinds, label))


def _natural_size(debugger: Debugger, at: int) -> int:
    """That of the variable there, if a number can be as large."""
    symbol = debugger.symbols.table.at(at)
    size = symbol.end - at if symbol is not None and not symbol.code else _DEFAULT_SIZE
    return size if size in (1, 2, 4) else _DEFAULT_SIZE


@command("watch", "ADDRESS [SIZE]", "stop behind a write to memory")
def watch(debugger: Debugger, args: list[str]) -> str:
    """By the guest or by the hypervisor on its behalf."""
    return _watch(debugger, args, "watch", stops.WRITE)


@command("rwatch", "ADDRESS [SIZE]", "stop behind a read of memory")
def rwatch(debugger: Debugger, args: list[str]) -> str:
    """By the guest's instructions."""
    return _watch(debugger, args, "rwatch", stops.READ)


@command("awatch", "ADDRESS [SIZE]", "stop behind a read or a write of memory")
def awatch(debugger: Debugger, args: list[str]) -> str:
    """Either."""
    return _watch(debugger, args, "awatch", stops.ACCESS)


@command("break-hypercall", "NAME[.SUBOP] [if FIELD OP VALUE]", "stop before a hypercall (NAME may be any)")
def break_hypercall(debugger: Debugger, args: list[str]) -> str:
    """FIELD: an argument's name, or a field of the structure that it points to."""
    words, text = _split(args)
    counts(words, 1, 1, "break-hypercall NAME[.SUBOP] [if FIELD OP VALUE]")
    name, _, sub = words[0].partition(".")
    try:
        point = stops.hypercall(name, sub or None)
        condition = on_field(debugger, name, sub, text) if text else None
    except ValueError as error:
        raise CommandError(f"break-hypercall: {error}") from None
    label = _conditional(f"hypercall {words[0]}", text)
    return _add(debugger, replace(point, label=label, condition=condition))


@command("break-trap", "VECTOR|#PF", "stop before an exception is delivered")
def break_trap(debugger: Debugger, args: list[str]) -> str:
    """By number or by name."""
    counts(args, 1, 1, "break-trap VECTOR|#PF")
    exceptions = exceptions_of(debugger.vcpu.domain.kind)
    vector = exceptions.number(args[0])
    if vector is None:
        if not args[0][:1].isdigit():
            known = ", ".join(exceptions.names.values())
            raise CommandError(f"break-trap: there is no exception {args[0]}; give a number, or one of {known}")
        vector = number(args[0], "break-trap")
        if vector > 255:
            raise CommandError(f"break-trap: there is no vector {vector}; give 0 to 255")
    return _add(debugger, stops.trap(vector, f"trap {exceptions.name(vector)}"))


@command("break-event", "PORT|any", "stop when an event channel has become pending")
def break_event(debugger: Debugger, args: list[str]) -> str:
    """Of whichever domain."""
    counts(args, 1, 1, "break-event PORT|any")
    if args[0] == "any":
        return _add(debugger, stops.event(None))
    port = number(args[0], "break-event")
    if not 0 < port < 1 << 17:
        raise CommandError(f"break-event: there is no port {args[0]}; give 1 to {(1 << 17) - 1}, or any")
    return _add(debugger, stops.event(port))


@command("delete", "N|all", "delete a stop point")
def delete(debugger: Debugger, args: list[str]) -> str:
    """By the number that `points` lists."""
    counts(args, 1, 1, "delete N|all")
    if args[0] == "all":
        count = len(debugger.points)
        debugger.points.clear()
        return f"{count} stop points deleted"
    wanted = number(args[0], "delete")
    if wanted not in debugger.points:
        raise CommandError(f"delete: there is no stop point {wanted}; points lists them")
    label = debugger.points[wanted].label
    debugger.delete(wanted)
    return f"{wanted} deleted: {label}"


@command("points", "", "list the stop points")
def points(debugger: Debugger, args: list[str]) -> str:
    """With their numbers."""
    counts(args, 0, 0, "points")
    return "\n".join(f"{n}: {point.label}" for n, point in debugger.points.items()) or "no stop point is set"
