"""Movements that gdb asks for: vCont, s, c, and bs, bc backwards.

The processor runs one vcpu at a time, and which one is not the debugger's to choose: a step of a vcpu that has to wait
for its turn lets the others run until then, as they would without a debugger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch.gdb import target_of
from hv.debug.timeline import Moved, Why

if TYPE_CHECKING:
    from hv.debug.gdb.session import Session
    from hv.vcpu import Vcpu

POLL_EVERY = 256
"""Steps inside a range between two looks at the socket."""
FARTHEST = 1 << 26


def forward(session: Session) -> Moved:
    """On to a stop point or to the end. A guest that waits for input is waited for."""
    debugger = session.debugger
    while True:
        moved = debugger.run(also=session.points)
        if moved.why is not Why.IDLE:
            return _other_side(session, moved, -1)
        if not session.outside.wait_for_input():
            return moved._replace(why=Why.INTERRUPTED) if session.outside.poll_back() else moved


def back(session: Session) -> Moved:
    """Backwards to a stop point or to the beginning."""
    return _other_side(session, session.debugger.run_back(also=session.points), 1)


def _other_side(session: Session, moved: Moved, by: int) -> Moved:
    """Where gdb itself steps over the instruction that met a watchpoint: the movement ends on its other side."""
    if moved.why is not Why.STOP_POINT or not session.points.watched(moved.hit):
        return moved
    if not target_of(session.debugger.vcpu).steps_over_watched:
        return moved
    return session.debugger.step(by)._replace(why=moved.why, hit=moved.hit)


def step(session: Session, vcpu: Vcpu) -> Moved:
    """One instruction of this vcpu; others run as they would. Stop points of theirs end it too."""
    return _other_side(session, _step(session, vcpu), -1)


def _step(session: Session, vcpu: Vcpu) -> Moved:
    debugger = session.debugger
    before, start = int(vcpu.c.retired), debugger.hv.instructions
    moved = debugger.run(also=session.points, limit=start + 1) if session.points.watching else debugger.step(1)
    if int(vcpu.c.retired) != before:
        return moved
    span = 1
    while moved.why is Why.LIMIT or (moved.why is Why.IDLE and session.outside.wait_for_input()):
        if int(vcpu.c.retired) > before:
            return _bisect(session, vcpu, before + 1, start, debugger.hv.instructions)
        span = min(2 * span, FARTHEST)
        limit = debugger.hv.instructions + span
        moved = debugger.run(also=session.points, limit=limit)
    return moved


def step_range(session: Session, vcpu: Vcpu, start: int, end: int) -> Moved:
    """Steps of this vcpu until it leaves the addresses from `start` to below `end`: at least one."""
    steps, places = 0, target_of(vcpu).places
    while True:
        moved = step(session, vcpu)
        steps += 1
        if moved.why is not Why.LIMIT or not start <= places(vcpu)[-1] < end:
            return moved
        if steps % POLL_EVERY == 0 and session.outside.poll():
            return moved._replace(why=Why.INTERRUPTED)


def step_back(session: Session, vcpu: Vcpu) -> Moved:
    """One instruction of this vcpu back; others go back as far as that takes."""
    return _other_side(session, _step_back(session, vcpu), 1)


def _step_back(session: Session, vcpu: Vcpu) -> Moved:
    debugger = session.debugger
    now, high, span = int(vcpu.c.retired), debugger.hv.instructions, 1
    moved = _undo(session)
    while int(vcpu.c.retired) == now:
        if debugger.hv.instructions <= debugger.timeline.begin:
            return moved._replace(why=Why.BEGIN)
        high, span = debugger.hv.instructions, min(2 * span, FARTHEST)
        moved = debugger.step(-span)
    if span == 1:
        return moved
    _bisect(session, vcpu, now, debugger.hv.instructions, high)
    return _undo(session)


def _undo(session: Session) -> Moved:
    """One instruction back, whosever it was, and whether it touched what gdb watches."""
    debugger = session.debugger
    moved = debugger.step(-1)
    if session.points.watching:
        ahead = debugger.run(also=session.points, limit=debugger.hv.instructions + 1)
        moved = debugger.goto(moved.position.count)
        if ahead.hit is not None and session.points.reason(ahead.hit):
            return moved._replace(why=Why.STOP_POINT, hit=ahead.hit)
    return moved


def _bisect(session: Session, vcpu: Vcpu, wanted: int, low: int, high: int) -> Moved:
    """To the first count at which the vcpu has retired `wanted` instructions: above `low`, at `high` at the latest."""
    debugger = session.debugger
    while high - low > 1:
        middle = (low + high) // 2
        debugger.goto(middle)
        if int(vcpu.c.retired) >= wanted:
            high = middle
        else:
            low = middle
    return debugger.goto(high)
