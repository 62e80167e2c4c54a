"""When the run goes back: what is outside the machine is used again on the same way, and given up on another."""

import pytest

from hv.inputs import History, Input, Moment
from hv.net.messages import Event, Open, Send, pack_event, read_event
from hv.net.nat import GATEWAY
from hv.net.standing import Standing, Thread
from tests.net.guest import Stream
from tests.net.outside import World, server


class Gate:
    def __init__(self) -> None:
        self.history: History | None = None
        self.pending: list[object] = []

    def enter(self, retired: int) -> None:
        self.history = History(self.history, Input(retired, 0, Moment.COUNT, 1, "console", b"x"))


class Counters:
    retired = idle_ns = 0


def thread() -> tuple[Gate, Counters, Thread]:
    gate, counters = Gate(), Counters()
    return gate, counters, Thread(gate, counters)  # type: ignore[arg-type]


def test_what_was_never_marked_is_another_run() -> None:
    assert thread()[2].standing() is Standing.OTHER


def test_further_on_and_back_on_the_same_way() -> None:
    gate, counters, run = thread()
    gate.enter(50)
    counters.retired = 100
    run.mark()
    assert run.standing() is Standing.HERE
    gate.enter(100)
    counters.retired = 150
    assert run.standing() is Standing.HERE
    assert gate.history is not None
    gate.history, counters.retired = gate.history.before, 60
    assert run.standing() is Standing.BEHIND
    counters.retired = 100
    assert run.standing() is Standing.HERE


def test_another_turn_is_noticed_however_late() -> None:
    gate, counters, run = thread()
    gate.enter(50)
    counters.retired = 100
    run.mark()
    counters.retired = 60
    gate.enter(60)
    counters.retired = 500
    assert run.standing() is Standing.OTHER


def test_before_an_input_that_was_known_the_mark_is_lost_unless_it_enters_again() -> None:
    gate, counters, run = thread()
    gate.enter(50)
    counters.retired = 100
    run.mark()
    history, gate.history, counters.retired = gate.history, None, 20
    assert run.standing() is Standing.OTHER
    gate.pending = [history]
    assert run.standing() is Standing.BEHIND
    gate.pending, gate.history, counters.retired = [], history, 50
    assert run.standing() is Standing.BEHIND
    run.lose()
    assert run.standing() is Standing.OTHER


def test_a_repeated_run_asks_the_host_nothing_twice() -> None:
    listener, port = server()
    world = World("host")
    with listener:
        saved, now, history = world.nat.save(), world.machine.now, world.gate.history
        stream = Stream(world.guest, GATEWAY, port)
        world.until(lambda: stream.open, stream.run)
        peer = listener.accept()[0]
        inputs = list(world.gate.log)
        done, tip, end = world.host._done, world.gate.history, world.machine.now
        world.nat.load(saved)
        world.machine.now, world.gate.history = now, history
        world.gate.pending = [inputs]  # type: ignore[list-item]
        Stream(world.guest, GATEWAY, port)
        world.host.poll()
        assert not world.host._requests and world.nat.flows() == [1]
        for at, data in inputs:
            world.machine.now = at
            world.nat.accept(data)
        world.gate.pending, world.gate.history, world.machine.now = [], tip, end
        stream.write(b"still there")
        world.host.poll()
        with peer:
            assert peer.recv(100) == b"still there" and world.host._done > done
    world.host.close()


def test_on_another_way_all_connections_are_reset() -> None:
    listener, port = server()
    world = World("host")
    with listener:
        stream = Stream(world.guest, GATEWAY, port)
        world.until(lambda: stream.open, stream.run)
        peer = listener.accept()[0]
        world.guest.udp(GATEWAY, 9, b"x")
        world.host.poll()
        world.thread.lose()
        world.gate.log.clear()
        world.host.poll()
        stream.run()
        assert stream.refused and not world.nat.flows()
        assert [data for _, data in world.gate.log] == [pack_event(Event.RESET, 1), pack_event(Event.RESET, 2)]
        with peer:
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
