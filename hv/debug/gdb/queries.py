"""Packets with names of their own: q..., Q... and v... ."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from hv.arch.gdb import target_of, target_xml
from hv.debug import commands
from hv.debug.gdb import moves, replies, threads
from hv.debug.gdb.errors import Refused
from hv.debug.gdb.files import host_io
from hv.debug.gdb.packets import MAX_PACKET, escaped
from hv.debug.timeline import Moved, Why

if TYPE_CHECKING:
    from hv.debug.gdb.session import Session

OK = b"OK"
SUPPORTED = (
    b"PacketSize=%x" % MAX_PACKET,
    b"QStartNoAckMode+", b"multiprocess+", b"swbreak+", b"hwbreak+", b"vContSupported+",
    b"ReverseStep+", b"ReverseContinue+",
    b"qXfer:features:read+", b"qXfer:threads:read+", b"qXfer:memory-map:read+", b"qXfer:exec-file:read+",
)  # fmt: skip
TEXT = MAX_PACKET // 4
"""Characters of a command's output in one packet."""
# All linear addresses: whether something is mapped at one, only a look tells. (A length has no 65th bit.)
_MEMORY_MAP = b"""<?xml version="1.0"?>
<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" "http://sourceware.org/gdb/gdb-memory-map.dtd">
<memory-map>
<memory type="ram" start="0x0" length="0x8000000000000000"/>
<memory type="ram" start="0x8000000000000000" length="0x8000000000000000"/>
</memory-map>
"""

_NAME = re.compile(rb"[^:,;?]*\??")
Handler = Callable[["Session", bytes], "bytes | None"]


def _named(table: dict[bytes, Handler], session: Session, body: bytes) -> bytes | None:
    """The name ends at the first character that no name has."""
    found = _NAME.match(body)
    handler = table.get(found[0]) if found else None
    return b"" if found is None or handler is None else handler(session, body[found.end() + 1 :])


def query(session: Session, rest: bytes) -> bytes | None:
    """q packets."""
    return _named(QUERIES, session, rest)


def setting(session: Session, rest: bytes) -> bytes | None:
    """Q packets."""
    return _named(SETTINGS, session, rest)


def long_packet(session: Session, rest: bytes) -> bytes | None:
    """v packets."""
    return _named(LONG, session, rest)


# ---- q ----


def _supported(session: Session, rest: bytes) -> bytes:
    session.features = frozenset(rest.split(b";"))
    session.multiprocess = b"multiprocess+" in session.features
    return b";".join(SUPPORTED)


def _first_threads(session: Session, rest: bytes) -> bytes:
    return b"m" + b",".join(threads.name(vcpu, session.multiprocess) for vcpu in session.vcpus)


def _extra_info(session: Session, rest: bytes) -> bytes:
    return threads.describe(session.thread(rest)).encode().hex().encode()


def _current(session: Session, rest: bytes) -> bytes:
    return b"QC" + threads.name(session.vcpu, session.multiprocess)


def _transfer(session: Session, rest: bytes) -> bytes:
    """OBJECT:read:ANNEX:OFFSET,LENGTH"""
    what, operation, annex, place = rest.split(b":", 3)
    document = DOCUMENTS.get(what)
    if document is None or operation != b"read":
        return b""
    if what == b"features" and annex != b"target.xml":
        return b"E00"
    if what == b"exec-file" and (session.kernel is None or (annex and int(annex, 16) != threads.FIRST)):
        return b"E01"  # of other domains nobody knows the file
    offset, length = (int(number, 16) for number in place.split(b","))
    if offset < 0 or length < 0:
        raise ValueError(place)
    whole = document(session)
    length = min(length, MAX_PACKET // 2)  # every byte may need an escape
    more = offset + length < len(whole)
    return (b"m" if more else b"l") + escaped(whole[offset : offset + length])


def _features(session: Session) -> bytes:
    return target_xml(target_of(session.vcpu))


def _threads(session: Session) -> bytes:
    return threads.threads_xml(session.vcpus, session.multiprocess)


def _kernel_name(session: Session) -> bytes:
    return session.kernel.name.encode() if session.kernel is not None else b""


def _memory_map(session: Session) -> bytes:
    return _MEMORY_MAP


DOCUMENTS: dict[bytes, Callable[[Session], bytes]] = {
    b"features": _features, b"threads": _threads, b"memory-map": _memory_map, b"exec-file": _kernel_name,
}  # fmt: skip


def _physical_mode(session: Session, rest: bytes) -> bytes:
    return b"%d" % session.physical


def _always(answer: bytes) -> Handler:
    """The same answer whoever asks."""

    def say(session: Session, rest: bytes) -> bytes:
        return answer

    return say


def _monitor(session: Session, rest: bytes) -> bytes:
    """A command of hv.debug.commands; its text before the answer, in pieces."""
    debugger = session.debugger
    line = bytes.fromhex(rest.decode("ascii")).decode("utf-8", "replace")
    before = debugger.moved
    debugger.choose(session.vcpu)
    try:
        text = commands.execute(debugger, line)
    except commands.CommandError as error:
        text = str(error)
    if debugger.moved is not before:
        session.look_again()
        text += "\ngdb shows what it read before, until: maintenance flush register-cache"
    for at in range(0, len(text), TEXT):
        session.outside.send(replies.console(text[at : at + TEXT]))
    if text:
        session.outside.send(replies.console("\n"))
    return OK


QUERIES: dict[bytes, Handler] = {
    b"Supported": _supported,
    b"Attached": _always(b"1"),
    b"C": _current,
    b"fThreadInfo": _first_threads,
    b"sThreadInfo": _always(b"l"),
    b"ThreadExtraInfo": _extra_info,
    b"Xfer": _transfer,
    b"Rcmd": _monitor,
    b"Symbol": _always(OK),
    b"qemu.PhyMemMode": _physical_mode,
}


# ---- Q ----


def _physical(session: Session, rest: bytes) -> bytes:
    session.physical = int(rest, 16) != 0
    return OK


SETTINGS: dict[bytes, Handler] = {b"StartNoAckMode": _always(OK), b"qemu.PhyMemMode": _physical}


# ---- v ----


class Action(NamedTuple):
    """What vCont asks for: a verb, its thread ("": the present one), and the addresses of a range."""

    verb: bytes
    thread: bytes = b""
    start: int = 0
    end: int = 0


VERBS = (b"c", b"C", b"s", b"S", b"t", b"r")
_STEPS = (b"s", b"S", b"r")


@lru_cache(maxsize=64)
def _action(rest: bytes) -> Action | None:
    """ACTION[:THREAD];... : the first action for a thread is its. One that steps decides, else all continue. None: one
    that nobody knows."""
    for action in rest.split(b";"):
        what, _, thread = action.partition(b":")
        verb = what[:1]
        if verb not in VERBS:
            return None
        if verb == b"r":
            start, end = (int(number, 16) for number in what[1:].split(b","))
            return Action(verb, thread, start, end)
        if verb == b"t" or verb in _STEPS:
            return Action(verb, thread)
    return Action(b"c")


def _resume(session: Session, rest: bytes) -> bytes:
    action = _action(rest)
    if action is None:
        return b""
    if action.verb == b"t":  # in all-stop mode everything is stopped
        return replies.stop_reply(session, Moved(Why.LIMIT, None, session.debugger.timeline.position))
    if action.verb not in _STEPS:
        return session.moved(moves.forward(session))
    vcpu = session.thread(action.thread) if action.thread else session.mover or session.vcpu
    if action.verb == b"r":
        return session.moved(moves.step_range(session, vcpu, action.start, action.end))
    return session.moved(moves.step(session, vcpu))


def _attach(session: Session, rest: bytes) -> bytes:
    """A domain, by the number of its process."""
    process = int(rest, 16)
    vcpu = next((v for v in session.debugger.vcpus if threads.process_of(v.domain) == process), None)
    if vcpu is None:
        raise Refused("there is no such domain")
    session.attached.add(process)
    session.vcpu = vcpu
    return b"T05thread:%s;" % threads.name(vcpu, session.multiprocess)  # of its registers gdb knows nothing yet


def _kill(session: Session, rest: bytes) -> bytes:
    session.ended = "kill"
    return OK


LONG: dict[bytes, Handler] = {
    b"Cont?": _always(b"vCont;" + b";".join(VERBS)),
    b"Cont": _resume,
    b"Attach": _attach,
    b"File": host_io,
    b"Kill": _kill,
    b"MustReplyEmpty": _always(b""),
}
