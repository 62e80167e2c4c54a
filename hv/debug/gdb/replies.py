"""Stop replies: where the guest stopped and why, and the line of text that says it to people."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING

from hv.arch.gdb import target_of
from hv.debug.commands.arguments import said
from hv.debug.crash import crash_here
from hv.debug.gdb import threads
from hv.debug.timeline import Why

if TYPE_CHECKING:
    from hv.arch.gdb import Register
    from hv.debug.gdb.session import Session
    from hv.debug.timeline import Moved

SIGINT, SIGTRAP = 2, 5
_HISTORY = {Why.SHUTDOWN: b"replaylog:end;", Why.IDLE: b"replaylog:end;", Why.BEGIN: b"replaylog:begin;"}
"""The ends of time. After the last, a guest is not gone (no W packet): one can go back from there."""
_TOLD = {
    Why.SHUTDOWN: "the guest has shut down: time ends here, and can go back (reverse-continue)",
    Why.IDLE: "the guest waits for ever: every vcpu is blocked, no timer is armed and there is no more input",
    Why.BEGIN: "this is the beginning of time",
}


@cache
def _at_once(registers: tuple[Register, ...], names: tuple[str, ...]) -> tuple[str, struct.Struct, int]:
    """Target.at_once as a stop reply has it: the text, its values packed, the hexadecimal digits of each."""
    numbers = [next(number for number, register in enumerate(registers) if register.name == name) for name in names]
    bits = registers[numbers[0]].bits
    packed = struct.Struct("<" + {64: "Q", 32: "I"}[bits] * len(names))
    return "".join(f"{number:02x}:%s;" for number in numbers), packed, bits // 4


def stop_reply(session: Session, moved: Moved) -> bytes:
    """Why the guest is stopped, in which thread, and a few registers."""
    vcpu = session.vcpu
    signal, reason = SIGTRAP, b"" if moved.why is Why.LIMIT else _HISTORY.get(moved.why, b"")
    own = session.points.reason(moved.hit) if moved.hit is not None else None
    if moved.why is Why.INTERRUPTED:
        signal = SIGINT
    elif own is not None and (own[0] not in (b"swbreak", b"hwbreak") or own[0] + b"+" in session.features):
        reason = b"%s:%s;" % own
    target = target_of(vcpu)
    text, packed, size = _at_once(target.registers, target.at_once)
    values = packed.pack(*target.places(vcpu)).hex()
    registers = text % tuple(values[at : at + size] for at in range(0, len(values), size))
    return b"T%02x%sthread:%s;%s" % (signal, registers.encode(), threads.name(vcpu, session.multiprocess), reason)


def told(session: Session, moved: Moved) -> str:
    """What gdb does not say itself about a stop; empty: it says all."""
    if moved.why is Why.LIMIT:
        return ""
    if moved.why is Why.STRAYED:
        return said(session.debugger, moved) + "\n"
    if moved.why is Why.STOP_POINT and moved.hit is not None and session.points.reason(moved.hit) is None:
        return said(session.debugger, moved) + "\n"
    crash = crash_here(session.debugger) if moved.why is Why.SHUTDOWN else None
    if crash is not None:
        return f"the guest has crashed: {crash}; time ends here, and can go back (reverse-continue)\n"
    return f"{_TOLD[moved.why]}\n" if moved.why in _TOLD else ""


def console(text: str) -> bytes:
    """A packet that has gdb print this."""
    return b"O" + text.encode("utf-8", "replace").hex().encode()
