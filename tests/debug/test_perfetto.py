"""The timeline: its structure is checked as a reader of the Trace Event Format would, over whole runs."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from hv.debug.perfetto import Perfetto
from hv.debug.trace import Tracer
from tests.debug.test_records import start

if TYPE_CHECKING:
    from pathlib import Path

Track = tuple[int, int]


class Kept(io.StringIO):
    """A file whose text outlives its end."""

    text = ""

    def close(self) -> None:
        self.text = self.getvalue()
        super().close()


def timeline(kernel: bytes | str, tmp_path: Path, **config: Any) -> list[dict[str, Any]]:
    """The events of a run."""
    one = start(kernel, tmp_path, **config)
    out = Kept()
    tracer = Tracer(one.hv, [Perfetto(out)])
    one.hv.after_exit = tracer.flush
    one.hv.run(max_insns=10**8)
    tracer.close()
    whole = json.loads(out.getvalue() if not out.closed else out.text)
    assert set(whole) == {"displayTimeUnit", "traceEvents"}
    events: list[dict[str, Any]] = whole["traceEvents"]
    return events


def check(events: list[dict[str, Any]]) -> tuple[dict[Track, list[tuple[float, float, str]]], int]:
    """Everything that the format demands. Returns the slices of each track, and how many arrows there are."""
    named: set[Any] = set()
    slices: dict[Track, list[tuple[float, float, str]]] = defaultdict(list)
    open_: dict[Track, list[tuple[float, str]]] = defaultdict(list)
    last: dict[Track, float] = defaultdict(float)
    flows: dict[int, dict[str, tuple[Track, float]]] = defaultdict(dict)
    for event in events:
        phase = event["ph"]
        if phase == "M":
            named.add(event["pid"] if event["name"] == "process_name" else (event["pid"], event["tid"]))
            continue
        track, ts = (event["pid"], event["tid"]), event["ts"]
        assert track in named and track[0] in named, "a track is named before it is used"
        if phase in "sf":
            assert phase not in flows[event["id"]]
            flows[event["id"]][phase] = (track, ts)
            continue
        assert ts >= last[track], "timestamps of a track never go back"
        last[track] = ts
        if phase == "B":
            open_[track].append((ts, event["name"]))
        elif phase == "E":
            begun, name = open_[track].pop()
            slices[track].append((begun, ts, name))
        else:
            assert phase == "X" and event["dur"] > 0 and event["name"]
            slices[track].append((ts, ts + event["dur"], event["name"]))
    assert not any(open_.values()), "every slice that begins ends"
    for ends in flows.values():
        assert set(ends) == {"s", "f"}, "every arrow has both ends"
        assert ends["s"][1] <= ends["f"][1]
        for track, ts in ends.values():
            assert any(begin <= ts <= end for begin, end, _ in slices[track]), "an arrow ends in a slice"
    for found in slices.values():
        nested(found)
    return slices, len(flows)


def nested(found: list[tuple[float, float, str]]) -> None:
    """Two slices of a track touch, or one holds the other. (ns, so that rounding plays no part.)"""
    ends: list[int] = []
    for begin, end in sorted(((round(b * 1000), round(e * 1000)) for b, e, _ in found), key=lambda s: (s[0], -s[1])):
        while ends and ends[-1] <= begin:
            ends.pop()
        assert not ends or end <= ends[-1], "slices nest"
        ends.append(end)


@pytest.mark.parametrize(("name", "vcpus"), [("evtchn_loopback", 1), ("timer", 1), ("smp", 4), ("evtchn_fifo", 1)])
def test_structure(name: str, vcpus: int, tmp_path: Path) -> None:
    slices, arrows = check(timeline(name, tmp_path, vcpus=vcpus))
    assert arrows > 0
    for vcpu in range(vcpus):
        assert any(name == "run" for _, _, name in slices[1, vcpu])


def test_arrows_lead_from_the_send_to_the_upcall(tmp_path: Path) -> None:
    events = timeline("evtchn_loopback", tmp_path)
    slices, arrows = check(events)
    assert arrows == 4 and [name for _, _, name in slices[1, 0]].count("upcall") == 4
    sends = [event for event in events if event["ph"] == "s"]
    senders = [event["args"]["event"].split(" -> ")[0] for event in sends]
    assert senders[1:] == ["d1v0 port 4", "d1v0 port 4", "d1v0 port 3"]
    call_of_first = next(e for e in events if e["ph"] == "X" and e["name"] == "EVTCHNOP_send")
    assert call_of_first["args"]["call"] == "event_channel_op(EVTCHNOP_send, {port=3})"


def test_timers_have_a_track_of_their_own(tmp_path: Path) -> None:
    slices, _ = check(timeline("timer", tmp_path))
    assert any(name.startswith("VIRQ_TIMER -> d1v0 port ") for _, _, name in slices[0, 0])


def test_idle_time_is_on_the_time_line(tmp_path: Path) -> None:
    """An instruction is a nanosecond; what was slept comes on top."""
    calls = [event for event in timeline("timer", tmp_path) if event.get("cat") == "hypercall"]
    idle = [round(event["ts"] * 1000) - event["args"]["instruction"] for event in calls]
    assert idle == sorted(idle) and idle[0] == 0 and idle[-1] > 1_000_000


def test_an_empty_trace_is_a_file_too() -> None:
    out = Kept()
    Perfetto(out).close()
    assert json.loads(out.text)["traceEvents"] == []
