"""When the run goes back: what is outside the machine is used again on the same way, and given up on another."""

import pytest

from hv.net.messages import Event, Open, Send, pack_event, read_event
from hv.net.nat import GATEWAY, Nat, NatConfig
from hv.net.standing import Standing, Thread
from tests.devices.machine import TestMachine
from tests.net.guest import Stream
from tests.net.outside import Counters, Gate, World, connected


def thread() -> tuple[Gate, TestMachine, Thread]:
    machine = TestMachine()
    gate = Gate(machine, Nat(machine, "net0", NatConfig()))
    return gate, machine, Thread(gate, Counters(machine))


def enter(gate: Gate, now: int) -> None:
    gate.machine.now = now
    gate.enter(b"x")


def test_what_was_never_marked_is_another_run() -> None:
    assert thread()[2].standing() is Standing.OTHER


def test_further_on_and_back_on_the_same_way() -> None:
    gate, machine, run = thread()
    enter(gate, 50)
    machine.now = 100
    run.mark()
    assert run.standing() is Standing.HERE
    enter(gate, 100)
    machine.now = 150
    assert run.standing() is Standing.HERE
    assert gate.history is not None
    gate.history, machine.now = gate.history.before, 60
    assert run.standing() is Standing.BEHIND
    machine.now = 100
    assert run.standing() is Standing.HERE


def test_another_turn_is_noticed_however_late() -> None:
    gate, machine, run = thread()
    enter(gate, 50)
    machine.now = 100
    run.mark()
    enter(gate, 60)
    machine.now = 500
    assert run.standing() is Standing.OTHER


def test_before_an_input_that_was_known_the_mark_is_lost_unless_it_enters_again() -> None:
    gate, machine, run = thread()
    enter(gate, 50)
    machine.now = 100
    run.mark()
    history, gate.history, machine.now = gate.history, None, 20
    assert history is not None and run.standing() is Standing.OTHER
    gate.pending = [history]
    assert run.standing() is Standing.BEHIND
    gate.pending, gate.history, machine.now = [], history, 50
    assert run.standing() is Standing.BEHIND
    run.lose()
    assert run.standing() is Standing.OTHER


def test_a_repeated_run_asks_the_host_nothing_twice() -> None:
    world = World("host")
    saved, now, history = world.nat.save(), world.machine.now, world.gate.history
    with connected(world) as (stream, peer):
        inputs = list(world.gate.log)
        done, tip, end = world.host._done, world.gate.history, world.machine.now
        world.nat.load(saved)
        world.machine.now, world.gate.history = now, history
        world.gate.pending = [inputs]  # type: ignore[list-item]
        Stream(world.guest, GATEWAY, stream.port)
        world.host.poll()
        assert not world.host._requests and world.nat.flows() == [1]
        for at, data in inputs:
            world.machine.now = at
            world.nat.accept(data)
        world.gate.pending, world.gate.history, world.machine.now = [], tip, end
        stream.write(b"still there")
        world.host.poll()
        assert peer.recv(100) == b"still there" and world.host._done > done
    world.host.close()


def test_on_another_way_all_connections_are_reset() -> None:
    world = World("host")
    with connected(world) as (stream, peer):
        world.guest.udp(GATEWAY, 9, b"x")
        world.host.poll()
        world.thread.lose()
        world.gate.log.clear()
        world.host.poll()
        stream.run()
        assert stream.refused and not world.nat.flows()
        assert [data for _, data in world.gate.log] == [pack_event(Event.RESET, 1), pack_event(Event.RESET, 2)]
        peer.settimeout(10)
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
    world.host.close()


def test_events_that_nobody_could_have_sent_are_dropped() -> None:
    world = World("host")
    stream = Stream(world.guest, GATEWAY, 80)
    before = world.nat.save()
    for data in (b"", b"\1", b"\xff\0\0\0\1", b"\1\0\0\0\7", b"\7\0\0\0\1" + bytes(9), b"\7\x80\0\0\1", b"\4\0\0\0"):
        world.nat.accept(data)
    assert world.nat.save() == before and stream.sequence == 1001
    for kind in Event:
        for rest in (b"", b"\0", b"\xff" * 8, b"x" * 70_000):
            for flow in (1, 2, 0x80000001):
                world.nat.accept(pack_event(kind, flow, rest))
                world.guest.udp(GATEWAY, 9, b"x")
    assert read_event(b"\3\0\0\0\5xyz") == (Event.DATA, 5, b"xyz")
    assert Send(1, b"").flow == Open(1, 6, GATEWAY, 80).flow
    world.host.close()
