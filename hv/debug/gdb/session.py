"""One gdb at work on a Debugger: the table of packets.

A handler gets what stands behind the packet's name and returns the answer, b"" for "I do not know this". It refuses by
raising Refused, or ValueError for what cannot be read. None: no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from hv import changes
from hv.arch.gdb import Register, all_registers, encode, target_of
from hv.debug.gdb import memory, moves, queries, replies, threads
from hv.debug.gdb.errors import Refused
from hv.debug.gdb.packets import MAX_PACKET
from hv.debug.gdb.points import ACCESS, Key, Points
from hv.debug.timeline import Moved, Why

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.debug.gdb.files import KernelFile
    from hv.vcpu import Vcpu

OK = b"OK"
MAX_READ = (MAX_PACKET - 16) // 2


class Outside(Protocol):
    """What goes on outside of the guest while it runs: the client's Ctrl-C, keys for the guest's console."""

    def poll(self) -> bool:
        """Let enter what was typed; whether to stop."""

    def poll_back(self) -> bool:
        """On the way back, where nothing enters: whether to stop."""

    def wait_for_input(self) -> bool:
        """Every vcpu waits for keys: wait for one. False: there will be none, or the guest is to stop."""

    def send(self, body: bytes) -> None:
        """Send a packet before the answer."""


class Session:
    """The state of one connection. `ended`: "detach" or "kill", once gdb has said so."""

    def __init__(self, debugger: Debugger, outside: Outside, kernel: KernelFile | None = None) -> None:
        self.debugger = debugger
        self.outside = outside
        self.kernel = kernel
        self.points = Points()
        self.features: frozenset[bytes] = frozenset()
        """What the client can do, as it said in qSupported."""
        self.multiprocess = False
        """Threads are named with their process."""
        self.physical = False
        self.attached = {threads.process_of(debugger.vcpu.domain)}
        """Processes that gdb knows of: it takes up others by vAttach only, as with QEMU."""
        self.vcpu: Vcpu = debugger.vcpu
        """The one that registers and memory are asked about."""
        self.mover: Vcpu | None = None
        """The one that s and bs step, where Hc chose one."""
        self.ended = ""

    def answer(self, body: bytes) -> bytes | None:
        """The answer to a packet."""
        handler = PACKETS.get(body[:1])
        if handler is None:
            return b""
        try:
            return handler(self, body[1:])
        except Refused as refusal:
            return b"E.%s" % str(refusal).encode("ascii", "replace")
        except (ValueError, OverflowError):
            return b"E.malformed packet"

    @property
    def vcpus(self) -> list[Vcpu]:
        """Those that gdb knows of."""
        return [v for v in self.debugger.vcpus if threads.process_of(v.domain) in self.attached]

    def look_again(self) -> None:
        """The machine stands elsewhere than before: look at the vcpu that is concerned, or at one that gdb knows."""
        here = self.debugger.vcpu
        known = threads.process_of(here.domain) in self.attached
        self.vcpu, self.mover = here if known else next(iter(self.vcpus), self.vcpu), None

    def moved(self, how: Moved) -> bytes:
        """A movement has ended: the stop reply."""
        self.look_again()
        text = replies.told(self, how)
        if text:
            self.outside.send(replies.console(text))
        return replies.stop_reply(self, how)

    def thread(self, text: bytes) -> Vcpu:
        """The vcpu that a packet names. Refused: there is none."""
        vcpu = threads.find(self.vcpus, self.debugger.vcpu, threads.parse(text))
        if vcpu is None:
            raise Refused("there is no such thread")
        return vcpu


# ---- registers ----


def _read_registers(session: Session, rest: bytes) -> bytes:
    return all_registers(target_of(session.vcpu), session.vcpu).hex().encode()


def _read_register(session: Session, rest: bytes) -> bytes:
    return _value(session, _register(session, rest)).hex().encode()


def _register(session: Session, number: bytes) -> Register:
    registers = target_of(session.vcpu).registers
    if not 0 <= int(number, 16) < len(registers):
        raise Refused("there is no such register")
    return registers[int(number, 16)]


def _value(session: Session, register: Register) -> bytes:
    return encode(register, target_of(session.vcpu).machine(session.vcpu))


def _write_registers(session: Session, rest: bytes) -> bytes:
    """Those that differ from what they are."""
    data = bytes.fromhex(rest.decode("ascii"))
    target = target_of(session.vcpu)
    values, at, machine = {}, 0, target.machine(session.vcpu)
    for register in target.registers:
        size = register.bits // 8
        value, at = data[at : at + size], at + size
        if len(value) == size and value != encode(register, machine):
            values[register.name] = value
    return _change(session, values)


def _write_register(session: Session, rest: bytes) -> bytes:
    number, _, value = rest.partition(b"=")
    register = _register(session, number)
    data = bytes.fromhex(value.decode("ascii"))
    return OK if data == _value(session, register) else _change(session, {register.name: data})


def _change(session: Session, values: dict[str, bytes]) -> bytes:
    try:
        if values:
            target = target_of(session.vcpu)
            changes.change_registers(session.vcpu, target.adapted(target.machine(session.vcpu), values))
    except changes.ChangeRefused as refusal:
        raise Refused(str(refusal)) from None
    return OK


# ---- memory ----


def _place(text: bytes) -> tuple[int, int]:
    """ADDRESS,LENGTH"""
    address, _, length = text.partition(b",")
    if len(address) > 16 or len(length) > 16:
        raise ValueError(text)
    return int(address, 16), int(length, 16)


def _read_memory(session: Session, rest: bytes) -> bytes:
    address, length = _place(rest)
    try:
        return memory.read(session.vcpu, address, min(length, MAX_READ), physical=session.physical).hex().encode()
    except Refused:
        return b"E0e"  # gdb takes nothing else for an error here


def _write_memory(session: Session, rest: bytes) -> bytes:
    place, _, text = rest.partition(b":")
    address, length = _place(place)
    return _write(session, address, length, bytes.fromhex(text.decode("ascii")))


def _write_binary(session: Session, rest: bytes) -> bytes:
    place, _, data = rest.partition(b":")
    address, length = _place(place)
    return _write(session, address, length, data)


def _write(session: Session, address: int, length: int, data: bytes) -> bytes:
    if len(data) != length:
        raise Refused(f"{len(data)} bytes came, {length} were announced")
    memory.write(session.vcpu, address, data, physical=session.physical)
    return OK


# ---- break and watch points ----


def _key(session: Session, rest: bytes) -> Key | None:
    kind, address, size = rest.split(b";")[0].split(b",")
    if not b"0" <= kind <= b"%d" % ACCESS:
        return None
    place, length = _place(address + b"," + size)
    return Key(int(kind), place, length, session.vcpu.domain.domid)


def _insert_point(session: Session, rest: bytes) -> bytes:
    key = _key(session, rest)
    if key is None:
        return b""
    session.points.insert(key, session.debugger.points.values())
    return OK


def _remove_point(session: Session, rest: bytes) -> bytes:
    key = _key(session, rest)
    if key is None:
        return b""
    session.points.remove(key)
    return OK


# ---- movements ----


def _why_stopped(session: Session, rest: bytes) -> bytes:
    session.look_again()
    return replies.stop_reply(session, Moved(Why.LIMIT, None, session.debugger.timeline.position))


def _step(session: Session, rest: bytes) -> bytes:
    if rest:
        return _elsewhere()
    return session.moved(moves.step(session, session.mover or session.vcpu))


def _continue(session: Session, rest: bytes) -> bytes:
    return _elsewhere() if rest else session.moved(moves.forward(session))


def _elsewhere() -> bytes:
    raise Refused("set rip first, then step or continue from there")


def _step_signal(session: Session, rest: bytes) -> bytes:
    """Guests know no signals."""
    return _step(session, rest.partition(b";")[2])


def _continue_signal(session: Session, rest: bytes) -> bytes:
    return _continue(session, rest.partition(b";")[2])


def _backwards(session: Session, rest: bytes) -> bytes:
    if rest == b"s":
        return session.moved(moves.step_back(session, session.mover or session.vcpu))
    return session.moved(moves.back(session)) if rest == b"c" else b""


# ---- threads, ends ----


def _choose_thread(session: Session, rest: bytes) -> bytes:
    use, name = rest[:1], rest[1:]
    if use == b"g":
        which = threads.parse(name)
        if which.process not in (None, threads.ANY) or which.thread not in (threads.ANY, threads.ALL):
            session.vcpu = session.thread(name)
    elif use == b"c":
        which = threads.parse(name)
        session.mover = None if which.thread in (threads.ANY, threads.ALL) else session.thread(name)
    else:
        return b""
    return OK


def _is_alive(session: Session, rest: bytes) -> bytes:
    session.thread(rest)
    return OK


def _detach(session: Session, rest: bytes) -> bytes:
    """From all, or from one process of several."""
    if rest[1:]:
        session.attached.discard(int(rest[1:], 16))
    if not rest[1:] or not session.attached:
        session.ended = "detach"
    return OK


def _kill(session: Session, rest: bytes) -> None:
    session.ended = "kill"


PACKETS: dict[bytes, Callable[[Session, bytes], bytes | None]] = {
    b"?": _why_stopped,
    b"g": _read_registers, b"G": _write_registers, b"p": _read_register, b"P": _write_register,
    b"m": _read_memory, b"M": _write_memory, b"X": _write_binary,
    b"Z": _insert_point, b"z": _remove_point,
    b"s": _step, b"c": _continue, b"S": _step_signal, b"C": _continue_signal, b"b": _backwards,
    b"H": _choose_thread, b"T": _is_alive, b"D": _detach, b"k": _kill,
    b"v": queries.long_packet, b"q": queries.query, b"Q": queries.setting,
}  # fmt: skip
"""By the first letter of a packet."""
