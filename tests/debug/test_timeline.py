"""Movements through time: wherever one stops, and however one got there, all state is that of a straight run."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from hv import abi
from hv.arch.x86.builder.hvm import build_hvm, start
from hv.debug import stops
from hv.debug.stops import StopPoint
from hv.debug.timeline import Moved, Position, Timeline, Why
from hv.devices.platform import Platform
from hv.hypervisor import Hypervisor
from hv.inputs import History, Input, Moment
from hv.native import lib
from hv.testing.runner import DomainUnderTest, Options, resolve
from hv.toolstack.launch import GuestConfig, launch
from tests.debug.straight import MEMORY_MIB, hashes, options_of
from tests.devices.flat32 import compiled

VECTOR_PF = 14
TOUR = ("tour", "rounds=20")


@cache
def symbols(guest: str) -> dict[str, int]:
    with Path(resolve(guest, options_of(guest, "").env)[0]).open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


def launched(guest: str = "tour", cmdline: str = "rounds=20", interval: int = 5000) -> tuple[DomainUnderTest, Timeline]:
    dom = DomainUnderTest(guest, options_of(guest, cmdline))
    return dom, Timeline(dom.hv, interval=interval)


def moves(timeline: Timeline, rng: random.Random, points: list[list[StopPoint]], end: int) -> Moved:
    match rng.randrange(8):
        case 0:
            return timeline.goto(rng.randrange(end))
        case 1:
            return timeline.step(1)
        case 2:
            return timeline.step(-1)
        case 3:
            return timeline.step(rng.randrange(-2000, 2000))
        case 4 | 5:
            return timeline.run(rng.choice(points))
        case _:
            return timeline.run_back(rng.choice(points))


def every_kind_of_stop(guest: str, *code: str) -> list[list[StopPoint]]:
    names = symbols(guest)
    return [
        [stops.hypercall("any")],
        [stops.hypercall("grant_table_op", "map_grant_ref"), stops.hypercall("update_va_mapping")],
        [stops.trap(VECTOR_PF)],
        [stops.event(None)],
        [stops.instruction(names[name]) for name in code if name in names],
        [stops.access(names["tour_round"], 8)] if "tour_round" in names else [stops.event(3)],
    ]


def walk(guest: str, cmdline: str, count: int, seed: int, code: tuple[str, ...]) -> set[Position]:
    """Random movements; each place is compared with a straight run to it. The places."""
    whole = DomainUnderTest(guest, options_of(guest, cmdline)).run()
    dom, timeline = launched(guest, cmdline, interval=whole.instructions // 12)
    rng = random.Random(seed)
    points = every_kind_of_stop(guest, *code)
    seen: dict[Position, str] = {}
    for _ in range(count):
        moved = moves(timeline, rng, points, whole.instructions)
        if moved.why is Why.SHUTDOWN:
            assert dom.state_hash == whole.state_hash
            continue
        assert seen.setdefault(moved.position, dom.state_hash) == dom.state_hash
    assert len(seen) > count // 3
    straight = hashes(guest, cmdline, seen)
    assert [position for position in seen if seen[position] != straight[position]] == []
    return set(seen)


def test_a_thousand_moves_leave_no_trace() -> None:
    """Over grants, event channels, xenstore writes, page-table updates, faults and timers."""
    places = walk(*TOUR, 1000, 3, ("tour_store", "tour_sleep", "trap_14", "events_upcall"))
    assert any(place.inside for place in places)


@pytest.mark.parametrize(
    "guest", ["smp", "user_mode", "hvm_exceptions", "hvm_smp", "lapic_timer", "blk_rw", "net_ping", "pit_interrupts"]
)
def test_moves_of_other_guests(guest: str) -> None:
    code = ("trap_14", "trap_entry", "events_upcall", "test_main", "printf", "apic_interrupt")
    walk(guest, "", 120, 4, code)


def test_over_a_hypercall_and_back() -> None:
    dom, timeline = launched()
    send = stops.hypercall("event_channel_op", "send")
    moved = timeline.run([send])
    assert moved.why is Why.STOP_POINT
    assert moved.hit is not None and moved.hit.point is send
    before, registers = dom.state_hash, dom.domain.vcpus[0].registers
    assert registers["rax"] == abi.HYPERCALL_NUMBERS["event_channel_op"]
    assert registers["rdi"] == stops.subop_number("event_channel_op", "EVTCHNOP_send")
    timeline.step(1)
    assert dom.state_hash != before
    timeline.step(-1)
    assert dom.state_hash == before
    assert timeline.run_back([send]).why is Why.BEGIN
    assert timeline.position == Position(0)
    assert timeline.run([send]).position == moved.position


def test_a_watchpoint_stops_behind_a_write_and_before_it_on_the_way_back() -> None:
    dom, timeline = launched()
    address = symbols("tour")["tour_round"]

    def value() -> int:
        return int.from_bytes(dom.domain.vcpus[0].read(address, 8) or b"", "little")

    write = stops.access(address, 8)
    counts = []
    for number in (1, 2, 3):
        counts.append(timeline.run([write]).position.count)
        assert value() == number
    for number in (3, 2, 1):
        moved = timeline.run_back([write])
        assert moved.position.count == counts[number - 1] - 1
        assert value() == number - 1
    assert timeline.run([write]).position.count == counts[0]
    read = timeline.run([stops.access(address, 8, stops.READ)])
    assert read.hit is not None and read.hit.kinds == stops.READ
    assert value() == 1


def test_a_watchpoint_sees_what_a_delivery_writes_once() -> None:
    """The frame of an exception, and those of events at the beginning of a run."""
    dom, timeline = launched()
    timeline.run([stops.trap(VECTOR_PF)])
    stack = dom.domain.vcpus[0].registers["rsp"]
    before, fault = dom.domain.vcpus[0].read(stack - 64, 64), timeline.position.count
    frame = stops.access(stack - 64, 64)
    assert timeline.run([frame]).position.count == fault + 1
    assert dom.domain.vcpus[0].read(stack - 64, 64) != before
    there = timeline.position
    places = [timeline.run([frame], limit=fault + 20_000).position.count for _ in range(12)]
    assert places == sorted(set(places)) and places[0] > there.count
    timeline.goto(there.count)
    assert timeline.run_back([frame]).position.count == fault


def test_a_watchpoint_sees_what_a_hypercall_writes() -> None:
    dom, timeline = launched()
    moved = timeline.run([stops.hypercall("event_channel_op", "alloc_unbound")])
    port = dom.domain.vcpus[0].registers["rsi"] + 4  # struct evtchn_alloc_unbound: dom, remote_dom, port
    seen = timeline.run([stops.access(port, 4)])
    assert seen.position.count == moved.position.count + 1
    assert timeline.run_back([stops.access(port, 4)]).position == moved.position


def test_traps_and_events_stop_before_they_happen() -> None:
    dom, timeline = launched()
    moved = timeline.run([stops.trap(VECTOR_PF)])
    assert moved.hit is not None
    here = dom.domain.vcpus[0].registers["rip"]
    assert symbols("tour")["tour_page_table"] <= here < symbols("tour")["tour_page_table"] + 0x400
    handler = dom.domain.vcpus[0].c.traps[VECTOR_PF].address
    entry = timeline.run([stops.instruction(handler)])
    assert entry.position == Position(moved.position.count, (0, handler))
    assert str(entry.position).endswith("+")
    assert timeline.step(-1).position.count == moved.position.count - 1
    assert timeline.step(1).position == moved.position


def test_each_trap_of_a_whole_processor_is_met_at_its_own_count_both_ways() -> None:
    """Several come in one run of its vcpu, software interrupts among them."""
    dom, timeline = launched("hvm_exceptions", "", interval=10**9)
    whole = DomainUnderTest("hvm_exceptions", options_of("hvm_exceptions", "")).run()
    for vector, name in ((13, "#GP"), (3, "#BP"), (0x80, None)):
        point, places = [stops.trap(vector)], []
        timeline.goto(0)
        while (moved := timeline.run(point)).why is Why.STOP_POINT:
            places.append(moved.position)
            assert timeline.run(point, limit=moved.position.count + 1).why is Why.LIMIT
            assert symbols("hvm_exceptions")["trap_stubs"] <= dom.domain.vcpus[0].registers["rip"]
            timeline.goto(moved.position.count)
        assert len(places) == (1 if name is None else whole.traps[name])
        assert [timeline.run_back(point).position for _ in places] == places[::-1]
        assert timeline.run_back(point).why is Why.BEGIN


def test_a_watchpoint_sees_what_a_hypercall_of_a_whole_processor_writes() -> None:
    dom, timeline = launched("hvm_op", "", interval=10**9)
    call = [stops.hypercall("hvm_op", "get_time")]
    moved = timeline.run(call)
    written = [stops.access(dom.domain.vcpus[0].registers["rsi"], 8)]  # struct xen_hvm_get_time
    timeline.goto(moved.position.count - 3)
    assert timeline.run(written).position.count == moved.position.count + 1
    assert timeline.run_back(written).position == moved.position


CALL_OF_32_BITS = r"""
__asm__(".globl _start\n_start: movl $32, %eax\n movl $4, %ebx\n movl $0, %ecx\n movl $6, %edi\n vmmcall\n jmp .\n");
"""


def test_a_hypercall_of_32_bit_code_is_known_by_the_registers_of_its_own(tmp_path: Path) -> None:
    hv = Hypervisor(memory_mib=4)
    domain = hv.create_domain("pc", memory_mib=4, kind="hvm")
    built = build_hvm(domain, compiled(tmp_path, CALL_OF_32_BITS))
    Platform(domain).reset()
    start(domain, built)
    timeline = Timeline(hv)
    assert timeline.run([stops.hypercall("event_channel_op", "alloc_unbound")], limit=100).why is Why.LIMIT
    timeline.goto(0)
    moved = timeline.run([stops.hypercall("event_channel_op", "send")], limit=100)
    assert (moved.why, moved.position) == (Why.STOP_POINT, Position(4))


def test_a_stop_point_where_one_stands_does_not_count_but_the_next_time_does() -> None:
    _, timeline = launched()
    point = [stops.instruction(symbols("tour")["tour_store"])]
    counts = [timeline.run(point).position.count for _ in range(3)]
    assert counts == sorted(set(counts))
    assert timeline.run_back(point).position.count == counts[1]


def test_conditions_are_asked_at_each_stop_both_ways() -> None:
    dom, timeline = launched()
    address = symbols("tour")["tour_round"]

    def seventh(vcpu: object) -> bool:
        return (dom.domain.vcpus[0].read(address, 1) or b"") == b"\x07"

    point = [stops.instruction(symbols("tour")["tour_store"], condition=seventh)]
    there = timeline.run(point)
    assert there.why is Why.STOP_POINT
    assert seventh(None)
    timeline.goto(10**9)
    assert timeline.run_back(point).position == there.position


def test_stop_points_of_one_vcpu_or_domain() -> None:
    dom, timeline = launched("smp", "")
    moved = timeline.run([stops.hypercall("any", vcpu=1)])
    assert moved.hit is not None and moved.hit.vcpu == 1
    assert timeline.run([stops.hypercall("any", domid=77)]).why is Why.SHUTDOWN
    assert dom.verdict.name == "SUCCESS"


def test_a_watchpoint_of_another_domain_hides_none_over_the_same_bytes() -> None:
    _, timeline = launched()
    address = symbols("tour")["tour_round"]
    alone = timeline.run([stops.access(address, 8)]).position
    timeline.goto(0)
    assert timeline.run([stops.access(address, 8, domid=77), stops.access(address, 8)]).position == alone


def test_a_condition_that_does_not_hold_hides_no_other_stop_point_there() -> None:
    _, timeline = launched()
    address = symbols("tour")["tour_store"]
    never, always = (stops.instruction(address, condition=lambda _, yes=yes: yes) for yes in (False, True))
    alone = timeline.run([always])
    timeline.goto(0)
    assert timeline.run([never, never, always]).position == alone.position
    call = timeline.run([stops.hypercall("any")])
    assert call.hit is not None
    timeline.goto(alone.position.count)
    here = stops.instruction(call.hit.rip, condition=lambda _: False)
    assert timeline.run([here, stops.hypercall("any")]).position == call.position


def test_conditions_hide_nothing_on_the_way_back() -> None:
    """Also where a snapshot stands: at its count begins one leg of the way, and another ends."""
    found = []
    for condition in (None, lambda _: True):
        _, timeline = launched(interval=97)
        timeline.goto(50_000)
        point = [replace(stops.hypercall("any"), condition=condition)]
        found.append([])
        while (moved := timeline.run_back(point)).why is Why.STOP_POINT:
            found[-1].append(moved.position)
    assert len(found[0]) > 100
    assert found[0] == found[1]


def test_a_trap_at_the_beginning_of_a_turn_is_met_once() -> None:
    """At the first moment of its count another vcpu is on the processor."""
    config = GuestConfig(memory_mib=MEMORY_MIB, cmdline="rounds=1", quantum=1, machine_mib=3 * MEMORY_MIB)
    kernel = resolve("tour")[0]
    guest = launch(kernel, config)
    launch(kernel, config, beside=guest)
    timeline = Timeline(guest.hv)
    met = [timeline.run([stops.trap(VECTOR_PF)], limit=200_000) for _ in range(3)]
    assert [moved.hit and moved.hit.domid for moved in met] == [1, 2, None]
    assert met[-1].why is Why.SHUTDOWN


def test_memory_for_snapshots_is_bounded() -> None:
    dom = DomainUnderTest("tour", Options(cmdline="rounds=100", memory=MEMORY_MIB))
    timeline = Timeline(dom.hv, interval=1000, memory=3 << 20)
    timeline.goto(10**9)
    assert timeline.moments.snapshots[-1].held <= 4 << 20
    assert timeline.moments.gap > 1000
    timeline.goto(12345)
    assert dom.state_hash == hashes("tour", "rounds=100", [Position(12345)])[Position(12345)]


def test_typing_in_the_past_makes_another_future() -> None:
    dom, timeline = launched()
    timeline.goto(30_000)
    dom.type("x")
    timeline.goto(70_000)
    first = dom.state_hash
    timeline.goto(20_000)
    timeline.goto(70_000)
    assert dom.state_hash == first
    timeline.goto(20_000)
    dom.type("y")
    timeline.goto(70_000)
    assert dom.state_hash != first
    assert [entry.data for entry in dom.hv.inputs] == [b"y"]


@pytest.mark.parametrize("seconds_thought", [False, True])
def test_what_is_typed_inside_a_count_enters_behind_it(seconds_thought: bool) -> None:
    """Not where a later stop restores a snapshot, nor wherever somebody goes back to."""
    dom, timeline = launched()
    timeline.goto(40_000)
    timeline.run([stops.trap(VECTOR_PF)])
    inside = timeline.run([stops.instruction(dom.domain.vcpus[0].c.traps[VECTOR_PF].address)]).position
    assert inside.inside
    dom.type("first ")
    dom.type("second")
    if seconds_thought:
        timeline.goto(30_000)
        timeline.goto(inside.count)
        assert list(dom.hv.inputs) == []
    assert timeline.run([stops.trap(VECTOR_PF)]).position.count > inside.count
    assert [(entry.retired, entry.moment, entry.data) for entry in dom.hv.inputs] == [
        (inside.count + 1, Moment.COUNT, b"first "), (inside.count + 1, Moment.COUNT, b"second"),
    ]  # fmt: skip


def test_an_input_of_a_file_that_cannot_enter_ends_the_movement() -> None:
    dom, timeline = launched()
    timeline.goto(20_000)
    dom.hv.inputs.history = History(None, Input(11_000, 0, Moment.COUNT, 1, "nothing", b"x"))
    moved = timeline.goto(12_000)
    assert (moved.why, moved.position.count) == (Why.STRAYED, 11_000)
    assert "input for nothing of domain 1: there is none" in moved.problem
    assert timeline.goto(12_000).why is Why.LIMIT


def test_an_interruption_while_idle_time_passes_is_a_place_to_come_back_to() -> None:
    """In real time, idle time passes in pieces, with a look outside between any two."""
    dom, timeline = launched()
    dom.hv.idle = lambda ns: min(ns, 300_000)
    stopped = []
    for number in (11, 14, 18):
        left = iter(range(number))
        moved = timeline.run([], poll=lambda left=left: next(left, None) is None)
        assert moved.why is Why.INTERRUPTED
        stopped.append((moved.position.count, dom.state_hash))
    assert len({count for count, _ in stopped}) == 3
    for count, state in stopped[::-1]:
        timeline.step(-1)
        timeline.goto(count)
        assert dom.state_hash == state
    timeline.goto(stopped[-1][0])
    assert dom.state_hash == stopped[-1][1]


def test_names_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="no hypercall 'event_chanel_op'; nearest: event_channel_op"):
        stops.hypercall("event_chanel_op")
    with pytest.raises(ValueError, match="no sub-operation 'snd'; it has EVTCHNOP_bind"):
        stops.hypercall("event_channel_op", "snd")


def test_too_many_stop_points_are_refused() -> None:
    dom, _ = launched()
    with pytest.raises(Exception, match="300 stop points"):
        stops.set_stops(dom.hv, [stops.instruction(number) for number in range(300)])
    assert lib.hv_set_stops(dom.hv.native, [], 0, 0) == 0


def test_a_turn_that_was_given_up_leaves_the_same_state_wherever_the_run_was_cut() -> None:
    dom, timeline = launched("smp", "")
    assert timeline.run([stops.hypercall("sched_op", "SCHEDOP_yield")]).why is Why.STOP_POINT
    here = timeline.step(1).position
    assert dom.state_hash == hashes("smp", "", [here])[here]
