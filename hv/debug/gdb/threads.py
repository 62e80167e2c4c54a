"""vcpus as gdb's threads, domains as its processes.

A thread is p PID.TID in hexadecimal: the domid, and the number of the vcpu plus one. gdb has no process 0, so domain 0
is process 0x8000, which no domid can be. Without the multiprocess feature, a thread is the vcpu's slot plus one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import quoteattr

from hv.debug.mode import mode_of

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.vcpu import Vcpu

DOMAIN_0 = 0x8000
FIRST = 1
"""The process of the guest that was launched."""
ANY, ALL = 0, -1
RUN_STATES = ("running", "runnable", "blocked", "offline")
"""enum runstate of native/xen/state.h."""


class ThreadId(NamedTuple):
    """What a packet names: numbers, ANY or ALL. `process` is None where the packet has none."""

    process: int | None
    thread: int


@lru_cache(maxsize=256)
def parse(text: bytes) -> ThreadId:
    """p PID.TID, p PID, or TID. ValueError."""
    if not text.startswith(b"p"):
        return ThreadId(None, _number(text))
    process, dot, thread = text[1:].partition(b".")
    return ThreadId(_number(process), _number(thread) if dot else ALL)


def _number(text: bytes) -> int:
    if text == b"-1":
        return ALL
    if not text or len(text) > 16 or not text.isalnum():
        raise ValueError(text)
    return int(text, 16)


def process_of(domain: Domain) -> int:
    """The number of its process."""
    return domain.domid or DOMAIN_0


def name(vcpu: Vcpu, multiprocess: bool) -> bytes:
    """Its thread, as packets have it."""
    return b"p%x.%x" % (process_of(vcpu.domain), vcpu.id + 1) if multiprocess else b"%x" % (vcpu.slot + 1)


def find(vcpus: list[Vcpu], here: Vcpu, which: ThreadId) -> Vcpu | None:
    """The vcpu of a thread; of ANY and ALL the one that commands are about, if it fits. None: there is none."""
    if here in vcpus and _fits(which, here):  # gdb mostly speaks of the one that it sees
        return here
    return next((vcpu for vcpu in vcpus if _fits(which, vcpu)), None)


def _fits(which: ThreadId, vcpu: Vcpu) -> bool:
    if which.process not in (None, ANY, ALL) and which.process != process_of(vcpu.domain):
        return False
    number = vcpu.slot if which.process is None else vcpu.id
    return which.thread in (ANY, ALL, number + 1)


def describe(vcpu: Vcpu) -> str:
    """Its state in a few words."""
    c = vcpu.c
    if not c.online:
        return f"{vcpu.domain.name} vcpu {vcpu.id}: offline"
    state = "polling" if c.polling and c.blocked else RUN_STATES[c.runstate]
    mode = mode_of(vcpu)
    said = f", {mode.name}" if mode.bits < 64 else ""
    return f"{vcpu.domain.name} vcpu {vcpu.id}: {state}, {'user' if mode.user else 'kernel'} mode{said}"


def threads_xml(vcpus: list[Vcpu], multiprocess: bool) -> bytes:
    """For qXfer:threads:read."""
    lines = [
        f"<thread id={quoteattr(name(vcpu, multiprocess).decode())} "
        f"name={quoteattr(f'{vcpu.domain.name}/{vcpu.id}')}>{_plain(describe(vcpu))}</thread>"
        for vcpu in vcpus
    ]
    return ('<?xml version="1.0"?>\n<threads>\n' + "\n".join(lines) + "\n</threads>\n").encode()


def _plain(text: str) -> str:
    from xml.sax.saxutils import escape

    return escape(text)
