"""Records put together, filters, and what C keeps: whole guests as machine code, and a few that are compiled."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from hv import abi
from hv.debug.filters import EVERYTHING, TRAPS, Filter, FilterError, parse_filter
from hv.debug.records import RECORD_BYTES, Assembler, Trap
from hv.debug.trace import Tracer, drain
from hv.debug.trace_text import line
from hv.native import ffi, lib
from hv.testing.build import build_guest, find_guest
from hv.toolstack.launch import Guest, GuestConfig, launch
from tests.cli.machinecode import DATA_VA, LOOP, call, guest, repeat, shutdown, store

POWEROFF = shutdown(abi.SHUTDOWN_poweroff)
SEND_ON_NO_PORT = store(DATA_VA, 999) + call("event_channel_op", abi.EVTCHNOP_send, DATA_VA)


class Kept:
    """Keeps what is traced."""

    def __init__(self, wanted: Filter) -> None:
        self.filter = wanted
        self.traps: list[Trap] = []
        self.closed = 0

    def write(self, trap: Trap) -> None:
        self.traps.append(trap)

    def close(self) -> None:
        self.closed += 1


def start(kernel: bytes | str, tmp_path: Path, **config: Any) -> Guest:
    path: Path | str = tmp_path / "kernel"
    if isinstance(kernel, bytes):
        Path(path).write_bytes(kernel)
    else:
        path = build_guest(find_guest(kernel))
    return launch(path, GuestConfig(memory_mib=16, **config))


def traced(kernel: bytes | str, tmp_path: Path, wanted: Filter = EVERYTHING, **config: Any) -> tuple[list[Trap], str]:
    """All records of a run to its end, and its state hash."""
    one = start(kernel, tmp_path, **config)
    kept = Kept(wanted)
    tracer = Tracer(one.hv, [kept])
    one.hv.after_exit = tracer.flush
    one.hv.run(max_insns=10**9)
    tracer.close()
    assert kept.closed == 1 and tracer.lost == 0
    return kept.traps, one.hv.state_hash


def test_a_call_with_its_memory_its_result_and_its_refusal(tmp_path: Path) -> None:
    traps, _ = traced(guest(SEND_ON_NO_PORT, POWEROFF), tmp_path)
    send = next(trap for trap in traps if trap.subop == "EVTCHNOP_send")
    assert send.call().text() == "event_channel_op(EVTCHNOP_send, {port=999})"
    error = send.error_of_call
    assert send.result == -abi.ERRNOS["EINVAL"] and error is not None
    assert (error.rule, error.facts["port"]) == ("evtchn_port_range", 999)
    assert send.data()["refused"]["rule"] == "evtchn_port_range"
    assert traps[-2].call().text() == "sched_op(SCHEDOP_shutdown, {reason=SHUTDOWN_poweroff})"
    assert (traps[0].kind, traps[-1].kind) == ("switch", "switch")


def test_what_python_refuses_is_in_the_trace_too(tmp_path: Path) -> None:
    traps, _ = traced(guest(call("sched_op", 77, 0), POWEROFF), tmp_path)
    (refused,) = [trap for trap in traps if trap.error_of_call is not None]
    assert refused.name == "sched_op" and refused.data()["refused"]["facts"] == {"hypercall": 29, "subop": 77}


def test_what_a_call_writes_is_shown_with_its_result(tmp_path: Path) -> None:
    """A new port, and nothing for a call that was refused."""
    ask = store(DATA_VA, abi.DOMID_SELF | abi.DOMID_SELF << 16)
    refused = store(DATA_VA, abi.DOMID_SELF | 77 << 48)
    code = ask + call("event_channel_op", abi.EVTCHNOP_alloc_unbound, DATA_VA)
    traps, _ = traced(guest(code, refused, call("event_channel_op", 99, DATA_VA), POWEROFF), tmp_path)
    made, failed, _ = [trap for trap in traps if trap.is_call]
    output = made.output()
    assert made.call().field("port") == 0 and output is not None and set(output.content) == {"port"}
    assert line(made).endswith(f"port=0}}) = 0 {{port={output.content['port']}}}") and output.content["port"] > 0
    assert made.data()["output"] == {"arg": output.content}
    assert failed.output() is None and "output" not in failed.data()


def test_arguments_are_those_of_the_moment_of_the_call(tmp_path: Path) -> None:
    """The same place in memory holds another port at each call."""
    code = b"".join(
        store(DATA_VA, port) + call("event_channel_op", abi.EVTCHNOP_send, DATA_VA) for port in (1, 500, 77)
    )
    traps, _ = traced(guest(code, POWEROFF), tmp_path)
    assert [trap.call().field("port") for trap in traps if trap.subop == "EVTCHNOP_send"] == [1, 500, 77]


def test_nothing_is_lost_of_a_long_run(tmp_path: Path) -> None:
    """More records than the ring holds, several times over, without one exit to Python."""
    calls = 150_000
    traps, _ = traced(guest(repeat(calls, call("xen_version", 0, 0)), POWEROFF), tmp_path)
    found = [trap for trap in traps if trap.name == "xen_version"]
    assert len(found) == calls and {trap.result for trap in found} == {0x40011}
    assert [trap.when for trap in found] == sorted({trap.when for trap in found})


@pytest.mark.parametrize("name", ["evtchn_fifo", "multicall", "pt_writable", "refusals", "iopl", "timer"])
def test_tracing_changes_nothing(name: str, tmp_path: Path) -> None:
    quiet = start(name, tmp_path)
    quiet.hv.run(max_insns=10**9)
    traps, state_hash = traced(name, tmp_path)
    assert state_hash == quiet.hv.state_hash and traps


def test_entries_of_a_multicall(tmp_path: Path) -> None:
    """Two entries in C, one in Python, one that is refused: each has its own result, the multicall too."""
    entries = ((17, abi.XENVER_version), (17, 77), (17, abi.XENVER_pagesize), (63, 0))
    table = b"".join(struct.pack("<QQ6Q", number, 0, arg, 0, 0, 0, 0, 0) for number, arg in entries)
    code = b"".join(
        store(DATA_VA + at, int.from_bytes(table[at : at + 8], "little")) for at in range(0, len(table), 8)
        if any(table[at : at + 8])
    )
    # what Python serves must not become the multicall's own result: the quiet log, as a crash report shows it
    kernel = guest(code, call("multicall", DATA_VA, 4), POWEROFF, text="\0" * 256)
    traps, _ = traced(kernel, tmp_path)
    found = [(trap.args[0], trap.result) for trap in traps if trap.kind == "entry"]
    enosys = -abi.ERRNOS["ENOSYS"]
    assert found == [(abi.XENVER_version, 0x40011), (77, enosys), (abi.XENVER_pagesize, 4096), (0, enosys)]
    outer = [trap.result for trap in traps if trap.kind == "hypercall" and trap.name == "multicall"]
    assert set(outer[:-1]) <= {None} and outer[-1] in (0, None)
    quiet = start(kernel, tmp_path)
    quiet.hv.run()
    assert enosys not in {trap.result for trap in drain(quiet.hv) if trap.name == "multicall"}


def test_events_are_sent_and_delivered(tmp_path: Path) -> None:
    traps, _ = traced("evtchn_loopback", tmp_path)
    sends = [trap for trap in traps if trap.kind == "send" and not trap.args[4]]
    delivered = [port for trap in traps for port in trap.ports]
    assert delivered == [4, 3, 3, 4]
    assert {trap.number for trap in sends} >= {3, 4}
    to_itself = next(trap for trap in sends if trap.number == 4 and trap.args[2] == 0)
    assert to_itself.data()["source"] == "guest" and to_itself.data()["from_port"] == 3


def test_timers_and_idle_time(tmp_path: Path) -> None:
    traps, _ = traced("timer", tmp_path)
    ticks = [trap for trap in traps if trap.kind == "send" and trap.args[0] == lib.TRACE_FROM_VIRQ]
    assert ticks and {trap.data()["virq"] for trap in ticks} == {abi.VIRQ_TIMER}
    idle = [trap.args[5] for trap in traps if trap.kind in ("send", "switch")]
    assert idle == sorted(idle) and idle[-1] > 0


def test_page_tables_switches_and_ports(tmp_path: Path) -> None:
    traps, _ = traced("smp", tmp_path, Filter(frozenset({"switch", "pagetable"})), vcpus=4)
    assert {trap.kind for trap in traps} == {"switch", "pagetable"}
    switches = [(trap.vcpu, trap.args[1]) for trap in traps if trap.kind == "switch"]
    assert [after[1] for after in switches[1:]] == [before[0] for before in switches[:-1]]
    assert {vcpu for vcpu, _ in switches} >= {0, 1, 2, 3}
    ports, _ = traced("iopl", tmp_path, parse_filter(["io"]))
    assert ports and {trap.kind for trap in ports} == {"io"}
    assert {trap.error for trap in ports} <= {1, 2, 4}


def test_page_table_updates_have_old_and_new_entry(tmp_path: Path) -> None:
    traps, _ = traced("pt_update", tmp_path, parse_filter(["pagetable"]))
    entries: dict[tuple[int, ...], int] = {}
    for trap in traps:
        assert trap.kind == "pagetable" and trap.number in (0, 1, 2, 3, 4) and trap.domid == 1
        key = trap.args[:2]
        bits = ~0x60  # the processor sets accessed and dirty by itself
        assert entries.get(key, trap.args[2]) & bits == trap.args[2] & bits
        entries[key] = trap.args[3]
    assert any(trap.number == 1 for trap in traps)


# ---- filters ----


def test_a_filter_keeps_just_what_it_names(tmp_path: Path) -> None:
    kernel = guest(repeat(5, call("xen_version", 0, 0)), SEND_ON_NO_PORT, POWEROFF)
    traps, _ = traced(kernel, tmp_path, parse_filter(["hypercall=event_channel_op"]))
    assert [trap.subop for trap in traps] == ["EVTCHNOP_send"] and traps[0].error_of_call is not None
    traps, _ = traced("exc_pf", tmp_path, parse_filter(["trap=#PF"]))
    assert {trap.name for trap in traps} == {"#PF"} and len(traps) > 1


def test_filters_add_up() -> None:
    both = parse_filter(["hypercall=iret,sched_op", "trap=#GP,14"])
    assert both.kinds == {"hypercall", "entry", "exception"}
    assert both.hypercalls == 1 << 23 | 1 << 29 and both.vectors == 1 << 13 | 1 << 14
    assert parse_filter([]).kinds == {"hypercall", "entry", "exception", "nmi", "event", "send", "power"}
    assert parse_filter(["all"]) == EVERYTHING
    assert parse_filter(["trap=200"]).vectors == 1 << 63
    assert parse_filter(["trap=dabt-el1,UD"]).vectors == 1 << 0x25 | 1 << 6
    assert TRAPS.masks()["kinds"] == 0b11110


@pytest.mark.parametrize(("text", "said"), [
    ("nonsense", "give one of hypercall, trap"), ("hypercall=schedop", "did you mean sched_op"),
    ("trap=#XX", "there is no trap '#XX'"), ("trap=256", "or a number to 255"), ("event=3", "takes no list"),
    ("hypercall=", "takes no list"), ("all=3", "give one of"), ("", "there is no kind ''"),
])  # fmt: skip
def test_filters_that_mean_nothing(text: str, said: str) -> None:
    with pytest.raises(FilterError, match="^-e ") as error:
        parse_filter([text])
    assert said in str(error.value) and "\n" not in str(error.value)


# ---- the ring in C ----


def test_the_quiet_log_keeps_the_last_64(tmp_path: Path) -> None:
    one = start(guest(repeat(100, call("xen_version", 0, 0)), LOOP), tmp_path)
    one.hv.run(max_insns=100_000)
    last = drain(one.hv)
    assert len(last) == 64 and {trap.name for trap in last} <= {"xen_version", "event"}
    assert lib.hv_trap_lost(one.hv.native) == 0 and drain(one.hv) == []


def test_records_that_one_call_makes_too_many_of_are_counted(tmp_path: Path) -> None:
    """Nobody empties the ring: the newest stay, the others are known to be lost."""
    one = start(guest(repeat(60_000, call("xen_version", 0, 0)), POWEROFF), tmp_path)
    plain = EVERYTHING._replace(decoded=False)
    lib.hv_trace(one.hv.native, ffi.new("struct trace_filter *", plain.masks()))
    one.hv.run(max_insns=10**7)
    waiting, lost = lib.hv_trap_waiting(one.hv.native), lib.hv_trap_lost(one.hv.native)
    made = 1 + 60_000 + 1 + 1  # switch, calls, the last call, switch
    assert waiting == 1 << 15 and lost == made - waiting
    assert drain(one.hv)[-2].subop == "SCHEDOP_shutdown"


def test_records_come_in_pieces() -> None:
    """Bytes cut anywhere between records give the same traps."""
    made = ffi.new("struct trap_record[]", 5)
    for at, kind in enumerate(
        (lib.TRAP_LOG_HYPERCALL, lib.TRAP_LOG_DATA, lib.TRAP_LOG_DATA, lib.TRAP_LOG_REFUSED, lib.TRAP_LOG_EXCEPTION)
    ):
        made[at].kind, made[at].when = kind, 7
    made[0].number, made[0].args[0], made[0].args[1] = 32, abi.EVTCHNOP_bind_virq, 0x1000
    made[1].address, made[1].number, made[1].args[0] = 0x1000, 8, 5
    made[2].address, made[2].number = 0x1008, 4
    made[3].number, made[3].args[0] = abi.RULES["evtchn_virq_range"].number, 5
    raw = bytes(ffi.buffer(made))
    whole = Assembler()
    expected = [*whole.feed(raw), *whole.close()]
    assert [trap.kind for trap in expected] == ["hypercall", "exception"]
    assert expected[0].call().text() == "event_channel_op(EVTCHNOP_bind_virq, {virq=5, vcpu=0, port=0})"
    for cut in range(1, 5):
        pieces = Assembler()
        first = [*pieces.feed(raw[: cut * RECORD_BYTES])]
        assert [*first, *pieces.feed(raw[cut * RECORD_BYTES :]), *pieces.close()] == expected


def test_peeking_leaves_the_page_tables_alone(tmp_path: Path) -> None:
    one = start("pt_update", tmp_path)
    one.hv.run(max_insns=3000)
    before = one.hv.state_hash
    vcpu = one.domain.vcpus[0]
    base = vcpu.registers["rip"] & ~0xFFF
    assert all(vcpu.peek(base + page * 4096, 4096) for page in range(16))
    assert one.hv.state_hash == before
    assert vcpu.peek(0xDEAD000, 8) is None and vcpu.peek((1 << 64) + 5, 8) is None and vcpu.peek(-1, 8) is None


def test_time_that_goes_back_takes_its_records_along(tmp_path: Path) -> None:
    """What had not been read yet is forgotten, and made again, equal, when it happens again."""
    one = start(guest(repeat(100, call("xen_version", 0, 0)), LOOP), tmp_path)
    plain = EVERYTHING._replace(decoded=False)
    lib.hv_trace(one.hv.native, ffi.new("struct trace_filter *", plain.masks()))
    one.hv.run(max_insns=50)
    saved = one.hv.snapshot()
    one.hv.run(max_insns=1000)
    whole = lib.hv_trap_waiting(one.hv.native)
    one.hv.restore(saved)
    assert lib.hv_trap_waiting(one.hv.native) < whole
    one.hv.run(max_insns=1000)
    traps = drain(one.hv)
    assert len(traps) == whole and [trap.when for trap in traps] == sorted(trap.when for trap in traps)
