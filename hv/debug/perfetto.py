"""A trace for ui.perfetto.dev and chrome://tracing: the JSON of the Trace Event Format.

A process is a domain, a thread of it a vcpu; process 0 is the hypervisor, with a track for what no guest sends. Runs of
a vcpu are slices from switch to switch (B and E); hypercalls, traps and upcalls are slices in them (X) that last one
instruction. An arrow leads from the slice that sent an event to the upcall that delivered it. A timestamp is system
time in microseconds: an instruction is a nanosecond, and idle time counts.

Format: "Trace Event Format" (Google, 2016), sections on duration, complete, flow and metadata events.
"""

from __future__ import annotations

import json
from typing import Any, TextIO

from hv.debug.filters import Filter
from hv.debug.records import NOBODY, SOURCES, Trap
from hv.debug.trace_text import answer, line, sender, who

__all__ = ["PERFETTO", "Perfetto"]

PERFETTO = Filter(frozenset({"hypercall", "entry", "exception", "nmi", "event", "send", "switch", "io", "power"}))
"""What the file is made of."""
_HOST = (0, 0)
_TEXT = 200


class Perfetto:
    """Writes the file as records come. Sends wait in memory for their delivery: one a port at most."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.filter = PERFETTO
        self._first = True
        self._idle = 0
        self._end = 0  # ns
        self._begun = 0  # ns at which the present run began
        self._tracks: set[tuple[int, int]] = set()
        # ns at which a track's last slice ends: slices nest, or do not touch
        self._busy: dict[tuple[int, int], int] = {}
        self._running: tuple[int, int] | None = None
        self._sent: dict[tuple[int, int], tuple[tuple[int, int], int, str]] = {}  # (domid, port): track, ns, name
        self._arrows = 0
        out.write('{"displayTimeUnit": "ns", "traceEvents": [\n')

    def write(self, trap: Trap) -> None:
        """One record."""
        if trap.kind in ("send", "switch"):
            self._idle = trap.args[5]
        now = self._end = max(trap.when + self._idle, self._end)
        if trap.kind == "switch":
            self._switch(trap, now)
        elif trap.kind == "send":
            self._send(trap, now)
        elif trap.domid != NOBODY:
            if trap.kind in ("hypercall", "exception") or self._running is None:
                self._run((trap.domid, trap.vcpu), now)  # a trace may begin in the middle of a run
            at = self._slice(trap, now)
            if trap.kind == "event":
                self._deliver(trap, at)

    def close(self) -> None:
        """End what still runs, and the file."""
        self._stop(self._end + 1)
        self.out.write("\n]}\n")
        self.out.close()

    # ---- events ----

    def _emit(self, phase: str, track: tuple[int, int], ns: int, **more: Any) -> None:
        if track not in self._tracks:
            self._name_track(track)
        self._put({"ph": phase, "pid": track[0], "tid": track[1], "ts": ns / 1000} | more)

    def _instant(self, track: tuple[int, int], now: int, **more: Any) -> int:
        """A slice of one instruction; when it begins."""
        now = max(now, self._begun) if track == self._running else now
        self._emit("X", track, now, dur=0.001, **more)
        self._busy[track] = now + 1
        return now

    def _put(self, event: dict[str, Any]) -> None:
        self.out.write(("" if self._first else ",\n") + json.dumps(event))
        self._first = False

    def _name_track(self, track: tuple[int, int]) -> None:
        domid, vcpu = track
        if not any(domid == known for known, _ in self._tracks):
            name = "hypervisor" if track == _HOST else f"domain {domid}"
            self._put({"ph": "M", "pid": domid, "name": "process_name", "args": {"name": name}})
        self._tracks.add(track)
        name = "timers and host" if track == _HOST else f"vcpu {vcpu}"
        self._put({"ph": "M", "pid": domid, "tid": vcpu, "name": "thread_name", "args": {"name": name}})

    def _run(self, track: tuple[int, int], now: int) -> None:
        if self._running != track:
            self._stop(now)
            self._begun = max(now, self._busy.get(track, 0))
            self._emit("B", track, self._begun, name="run", cat="run")
            self._running = track

    def _stop(self, now: int) -> None:
        if self._running is not None:
            end = self._busy[self._running] = max(now, self._begun, self._busy.get(self._running, 0))
            self._emit("E", self._running, end)
            self._running = None

    def _switch(self, trap: Trap, now: int) -> None:
        self._stop(now)
        if trap.domid != NOBODY:
            self._run((trap.domid, trap.vcpu), now)

    def _slice(self, trap: Trap, now: int) -> int:
        more: dict[str, Any] = {"instruction": trap.when}
        name = trap.name
        if trap.is_call:
            name = trap.subop or trap.name
            more |= {"call": trap.call().text()[:_TEXT], "result": answer(trap)[:_TEXT]}
        elif trap.kind != "nmi":
            name = {"event": "upcall", "io": "port access"}.get(trap.kind, trap.name)
            more["text"] = line(trap)[:_TEXT]
        return self._instant((trap.domid, trap.vcpu), now, name=name, cat=trap.kind, args=more)

    # ---- arrows ----

    def _send(self, trap: Trap, now: int) -> None:
        source, domid, vcpu = trap.args[:3]
        track = (domid, vcpu) if SOURCES.get(source) == "guest" and vcpu != NOBODY else _HOST
        to = who(trap.domid, trap.vcpu)
        name = f"{sender(trap)} -> {to} port {trap.number}"
        if track != self._running:
            track = _HOST
        at = self._instant(track, now, name=name, cat="send", args={"instruction": trap.when})
        self._sent.setdefault((trap.domid, trap.number), (track, at, name))

    def _deliver(self, trap: Trap, now: int) -> None:
        for port in trap.ports:
            sent = self._sent.pop((trap.domid, port), None)
            if sent is not None:
                track, then, name = sent
                self._arrows += 1
                same = {"id": self._arrows, "name": f"port {port}", "cat": "event", "args": {"event": name}}
                self._emit("s", track, then, **same)
                self._emit("f", (trap.domid, trap.vcpu), now, bp="e", **same)
