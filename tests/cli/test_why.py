"""`hv why`: refusals with decoded call, rule and stack; the evidence changes nothing and is that of the moment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hv import abi
from hv.debug.call_names import constants
from hv.debug.symbols import symbols_of
from hv.debug.why import failures, report
from tests.cli.machinecode import DATA_VA, ENTRY, call, guest, repeat, shutdown, store
from tests.cli.test_trace import hv  # noqa: F401 - a fixture
from tests.debug.test_records import start

if TYPE_CHECKING:
    from pathlib import Path

POWEROFF = shutdown(abi.SHUTDOWN_poweroff)
# refused in C, twice from one place and once from another, and once in Python
REFUSED = guest(
    repeat(2, store(DATA_VA, 999) + call("event_channel_op", abi.EVTCHNOP_send, DATA_VA)),
    store(DATA_VA, 998), call("event_channel_op", abi.EVTCHNOP_send, DATA_VA),
    store(DATA_VA, 40), call("event_channel_op", abi.EVTCHNOP_bind_virq, DATA_VA),
    POWEROFF,
)  # fmt: skip


def test_each_refusal_is_a_paragraph(hv: Any) -> None:  # noqa: F811
    result = hv("why", REFUSED)
    assert (result.code, result.out) == (0, "")
    first, second, third = result.err.split("\n\n")
    assert first.splitlines()[0] == "instruction 7, d1v0 (2 times; this is the first)"
    assert first.splitlines()[1:4] == [
        "  event_channel_op(EVTCHNOP_send, {port=999}) = -EINVAL",
        "  EINVAL by rule evtchn_port_range: port=999 (0x3e7), limit=64 (0x40)",
        "  port 999 is none of this domain's event channels; ports are below 64",
    ]
    assert "{port=998}" in second and "times" not in second
    assert "event_channel_op(EVTCHNOP_bind_virq, {virq=40, vcpu=0, port=0})" in third
    assert "there is no VIRQ 40; they are below 24" in third


def test_json_and_a_file(hv: Any, tmp_path: Path) -> None:  # noqa: F811
    text, data = tmp_path / "why.txt", tmp_path / "why.json"
    result = hv("why", REFUSED, "-o", str(text), "--json", str(data))
    assert result.err == "" and text.read_text().count("by rule") == 3
    first, second, third = json.loads(data.read_text())
    assert (first["count"], second["count"]) == (2, 1)
    assert first["call"]["content"] == {"arg": {"port": 999}} and first["refused"]["facts"]["port"] == 999
    assert third["refused"]["rule"] == "evtchn_virq_range" and third["result"] == -22
    assert first["stack"][0]["address"] in range(ENTRY, ENTRY + 0x800)


@pytest.mark.parametrize("name", ["grant_refused", "refusals"])
def test_what_the_guest_got_is_what_the_trace_shows(hv: Any, name: str, tmp_path: Path) -> None:  # noqa: F811
    """Of an operation of a grant batch: 0 for the hypercall, and the status in its structure."""
    why, trace = tmp_path / "why.json", tmp_path / "trace.jsonl"
    hv("why", name, "--json", str(why))
    hv("trace", name, "-e", "hypercall", "--json", str(trace))
    made = [json.loads(line) for line in trace.read_text().splitlines()]
    calls = {call["when"]: call for call in made}
    refused = [one for one in json.loads(why.read_text()) if one["when"] in calls]
    assert refused
    for one in refused:
        call = calls[one["when"]]
        assert one["result"] == call["result"], one
        if call["refused"]["errno"] is None and "output" in call:
            assert one["status"] == constants("GNTST_")[call["output"]["uop"][0]["status"]]
        if one["status"] is None:
            assert one["refused"]["errno"] is not None or one["result"] >= 0
    statuses = [one["status"] for one in refused if one["status"]]
    assert len(statuses) > 5 or name == "refusals"
    text, sums = hv("run", name, "--why").err, hv("trace", name, "-e", "hypercall", "-c").err
    assert all(f" = 0: {status} [" in text for status in statuses)
    assert int(sums.splitlines()[-1].split()[-2]) == sum("refused" in call for call in made)


def test_nothing_was_refused(hv: Any) -> None:  # noqa: F811
    assert hv("why", guest(POWEROFF)).err == "no hypercall was refused\n"


@pytest.mark.parametrize("name", ["refusals", "memory_refused", "hypercall_refused"])
def test_evidence_changes_nothing(name: str, tmp_path: Path) -> None:
    hashes = set()
    for keep in (False, True):
        one = start(name, tmp_path)
        if keep:
            one.hv.refusals.keep_evidence()
        one.hv.run(max_insns=10**9)
        hashes.add(one.hv.state_hash)
    assert len(hashes) == 1


def test_stacks_name_the_functions_of_the_guest(tmp_path: Path) -> None:
    """All refusals of a compiled guest, long after: its own functions, up to where it starts."""
    one = start("refusals", tmp_path)
    one.hv.refusals.keep_evidence()
    one.hv.run(max_insns=10**9)
    found = failures(one.hv, symbols_of(one.image))
    assert len(found) >= 8
    for failure in found:
        names = [frame.place.name for frame in failure.stack if frame.place]
        assert names[0] == "hypercall_page" and "test_main" in names and names[-2:] == ["guest_start", "_start"], names
        assert all(frame.file and frame.line for frame in failure.stack[1:])


def test_a_live_run_is_reported_piece_by_piece(tmp_path: Path) -> None:
    one = start(REFUSED, tmp_path)
    one.hv.refusals.keep_evidence()
    one.hv.run(max_insns=7)
    assert report(one.hv).count("by rule") == 1
    one.hv.run()
    assert report(one.hv).count("by rule") == 3 and report(one.hv) == "no hypercall was refused\n"


def test_without_evidence_there_are_still_numbers(tmp_path: Path) -> None:
    one = start(REFUSED, tmp_path)
    one.hv.run()
    first, *_ = failures(one.hv)
    assert first.stack == () and first.call is not None
    assert first.call.text() == f"event_channel_op(EVTCHNOP_send, arg={DATA_VA:#x})"


def test_a_stack_that_cannot_be_read(tmp_path: Path) -> None:
    """The guest's rsp points to nothing, to the end of the address space, to Xen."""
    for rsp in (0, 0xDEAD0000, (1 << 64) - 8, 0xFFFF_8000_0000_0000):
        code = b"\x48\xbc" + rsp.to_bytes(8, "little") + call("sched_op", 77, 0)
        one = start(guest(code, POWEROFF), tmp_path)
        one.hv.refusals.keep_evidence()
        one.hv.run(max_insns=1000)
        (failure,) = failures(one.hv)
        assert failure.first.evidence is not None and failure.first.evidence.registers["rsp"] == rsp
        assert len(failure.stack) == 1 and len(failure.first.evidence.stack) < 2048
