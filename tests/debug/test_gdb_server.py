"""The GDB server under a bare client: what each packet answers, and what it does with clients that misbehave."""

from __future__ import annotations

import random
import re
import socket
import time
import xml.etree.ElementTree as ElementTree

import pytest

from hv.arch.x86.gdb import REGISTERS, SYSTEM
from hv.debug.gdb.packets import MAX_PACKET, framed, unescaped
from hv.debug.gdb.session import PACKETS
from hv.debug.memory import LAST_ADDRESS, translate
from hv.debug.timeline import Position
from hv.native import lib
from tests.bench.gdb_client import Client
from tests.debug.served import Served, symbols
from tests.debug.straight import hashes

TOUR = ("tour", "rounds=20")
NUMBER = {register.name: number for number, register in enumerate(REGISTERS)}


def read_whole(client: Client, what: bytes) -> bytes:
    """An object of qXfer, in small pieces."""
    whole = b""
    while True:
        annex = b"target.xml" if what == b"features" else b""
        answer = client.ask(b"qXfer:%s:read:%s:%x,%x" % (what, annex, len(whole), 700))
        assert answer[:1] in (b"m", b"l")
        whole += unescaped(answer[1:])
        if answer[:1] == b"l":
            return whole


def test_the_description_has_every_register_that_the_packets_have() -> None:
    with Served(*TOUR) as served, served.client() as client:
        root = ElementTree.fromstring(read_whole(client, b"features"))
        registers = list(root.iter("reg"))
        described = [
            (reg.get("name"), int(reg.get("bitsize") or 0), int(reg.get("regnum") or 0)) for reg in registers
        ]
        assert described == [(register.name, register.bits, number) for number, register in enumerate(REGISTERS)]
        assert {"k_gs_base", "cr0", "cr2", "cr3", "cr4", "efer"} <= {r.name for r in REGISTERS if r.feature == SYSTEM}
        known = {element.get("id") for kind in ("flags", "vector", "union") for element in root.iter(kind)}
        builtin = {"int", "int8", "int16", "int32", "int64", "uint128", "i387_ext", "data_ptr", "code_ptr"}
        assert {reg.get("type") for reg in registers} <= known | builtin
        whole = client.ask(b"g")
        assert len(whole) == sum(bits // 4 for _, bits, _ in described)
        at = 0
        for number, register in enumerate(REGISTERS):
            assert client.ask(b"p%x" % number) == whole[at : at + register.bits // 4]
            at += register.bits // 4
        assert client.ask(b"p%x" % len(REGISTERS)).startswith(b"E")
        state = served.dom.domain.vcpus[0].state()
        value = client.ask(b"p%x" % NUMBER["cr3"])
        assert int.from_bytes(bytes.fromhex(value.decode()), "little") == state.cr3 != 0


def test_threads_and_memory_map() -> None:
    with Served("smp") as served, served.client() as client:
        client.ask(b"Z0,%x,1" % symbols("smp")["on_ipi"])
        assert b"swbreak:;" in client.ask(b"c")
        assert client.ask(b"qfThreadInfo") == b"mp1.1,p1.2,p1.3,p1.4"
        assert client.ask(b"qsThreadInfo") == b"l"
        assert client.ask(b"qC") == b"QCp1.2"
        root = ElementTree.fromstring(read_whole(client, b"threads"))
        assert [(thread.get("id"), thread.get("name")) for thread in root] == [
            (f"p1.{number + 1}", f"guest/{number}") for number in range(4)
        ]
        assert bytes.fromhex(client.ask(b"qThreadExtraInfo,p1.2").decode()) == b"guest vcpu 1: running, kernel mode"
        assert [client.ask(b"Tp1.%x" % number)[:2] for number in (1, 4, 5)] == [b"OK", b"OK", b"E."]
        assert client.ask(b"Tp2.1").startswith(b"E.")
        assert client.ask(b"Hgp1.3") == b"OK"
        rip = int.from_bytes(bytes.fromhex(client.ask(b"p%x" % NUMBER["rip"]).decode()), "little")
        assert rip == served.dom.domain.vcpus[2].registers["rip"]
        root = ElementTree.fromstring(read_whole(client, b"memory-map"))
        assert [(int(m.get("start") or "", 16), m.get("type")) for m in root] == [(0, "ram"), (1 << 63, "ram")]


def test_looking_leaves_no_trace() -> None:
    """Memory is read through page tables whose accessed bits stay as they are."""
    with Served(*TOUR) as served, served.client() as client:
        before = served.state_hash
        begin = symbols("tour")["tour_store"]
        for address in (*range(begin & ~0xFFF, begin + 0x40000, 0x1000), 0, LAST_ADDRESS - 3, 0xFFFF800000000000):
            answer = client.ask(b"m%x,8" % address)
            assert answer == b"E0e" or len(answer) % 2 == 0
        assert client.ask(b"m%x,10" % begin) == (served.dom.domain.vcpus[0].domain.read(
            translate(served.dom.domain.vcpus[0], begin) or 0, 16).hex().encode())  # fmt: skip
        assert client.ask(b"m0,10") == b"E0e"
        assert client.ask(b"mffff800000000000,8") != b"E0e"  # the machine-to-phys table
        client.ask(b"g")
        client.monitor("state-hash")
        assert served.state_hash == before


def test_physical_memory() -> None:
    with Served(*TOUR) as served, served.client() as client:
        client.ask(b"Z0,%x,1" % symbols("tour")["tour_store"])
        client.ask(b"c")
        address = symbols("tour")["tour_round"]
        machine = translate(served.dom.domain.vcpus[0], address)
        assert machine is not None
        assert client.ask(b"qqemu.PhyMemMode") == b"0"
        linear = client.ask(b"m%x,8" % address)
        assert client.ask(b"Qqemu.PhyMemMode:1") == b"OK"
        assert client.ask(b"qqemu.PhyMemMode") == b"1"
        assert client.ask(b"m%x,8" % machine) == linear == (1).to_bytes(8, "little").hex().encode()
        assert client.ask(b"X%x,8:}\x03}]}\x0412345" % machine) == b"OK"
        frames = int(served.dom.hv.state.frames)
        assert client.ask(b"m%x,8" % (frames << 12)) == b"E0e"
        assert len(client.ask(b"m%x,20" % ((frames << 12) - 4))) == 8  # to the end of memory
        assert client.ask(b"M%x,1:00" % (frames << 12)).startswith(b"E.there is no machine frame")
        assert client.ask(b"M%x,1:00" % (int(served.dom.hv.state.xen_gdt_frame) << 12)).startswith(b"E.machine frame")
        assert client.ask(b"Qqemu.PhyMemMode:0") == b"OK"
        assert client.ask(b"m%x,8" % address) == b"#}$12345".hex().encode()
        assert served.dom.audit() == ""


def test_writes_are_all_or_nothing_and_behind_a_delivery_refused() -> None:
    with Served(*TOUR) as served, served.client() as client:
        before = served.state_hash
        last = next(a for a in range(symbols("tour")["tour_round"] & ~0xFFF, 1 << 64, 4096)
                    if translate(served.dom.domain.vcpus[0], a) is None)  # fmt: skip
        assert client.ask(b"M%x,8:%s" % (last - 4, b"11" * 8)).startswith(b"E.not all")
        assert client.ask(b"M%x,4:1111" % (last - 4)).startswith(b"E.2 bytes came")
        assert served.state_hash == before
        handler = symbols("tour")["trap_14"]
        client.ask(b"Z1,%x,1" % handler)
        assert b"hwbreak" in client.ask(b"c")
        assert served.debugger.timeline.position.inside is not None
        assert b"delivery" in client.ask(b"P0=%s" % (b"11" * 8))
        client.ask(b"s")
        assert client.ask(b"P0=%s" % (b"11" * 8)) == b"OK"
        assert served.dom.domain.vcpus[0].registers["rax"] == int("11" * 8, 16)


def test_all_registers_at_once() -> None:
    with Served(*TOUR) as served, served.client() as client:
        whole = bytes.fromhex(client.ask(b"g").decode())
        changed = bytearray(whole)
        changed[0:8] = b"\x11" * 8
        assert client.ask(b"G" + whole.hex().encode()) == b"OK"
        assert list(served.dom.hv.inputs) == []
        assert client.ask(b"G" + changed.hex().encode()) == b"OK"
        assert bytes.fromhex(client.ask(b"g").decode()) == bytes(changed)
        assert len(list(served.dom.hv.inputs)) == 1
        assert client.ask(b"G00") == b"OK"  # a part of a register changes nothing


def test_range_stepping_goes_as_far_as_stepping() -> None:
    with Served(*TOUR) as served, served.client() as client:
        start = symbols("tour")["tour_store"]
        client.ask(b"Z0,%x,1" % start)
        client.ask(b"c")
        client.ask(b"z0,%x,1" % start)
        count = served.dom.hv.instructions
        assert client.ask(b"vCont;r%x,%x:p1.1" % (start, start + 0x80)).startswith(b"T05")
        there = served.dom.hv.instructions
        rip = served.dom.domain.vcpus[0].registers["rip"]
        assert not start <= rip < start + 0x80
        served_steps = 0
        client.monitor(f"goto {count}")
        while start <= served.dom.domain.vcpus[0].registers["rip"] < start + 0x80:
            client.ask(b"s")
            served_steps += 1
        assert count + served_steps == there
        assert served.dom.domain.vcpus[0].registers["rip"] == rip


def test_a_step_meets_watchpoints_both_ways() -> None:
    with Served(*TOUR) as served, served.client() as client:
        address = symbols("tour")["tour_round"]
        client.ask(b"Z2,%x,8" % address)
        assert b"watch:%x;" % address in client.ask(b"c")
        count = served.dom.hv.instructions
        assert b"watch:%x;" % address in client.ask(b"bs")
        assert served.dom.hv.instructions == count - 1
        assert b"watch:%x;" % address in client.ask(b"vCont;s:p1.1")
        assert served.dom.hv.instructions == count
        assert b"watch" not in client.ask(b"vCont;s:p1.1")
        assert b"watch" not in client.ask(b"bs")


def test_points_are_counted_and_bounded() -> None:
    with Served("hello") as served, served.client() as client:
        for number in range(lib.ENGINE_WATCHPOINTS):
            assert client.ask(b"Z2,%x,4" % (number * 64)) == b"OK"
        assert client.ask(b"Z3,5000,1").startswith(b"E.32 watchpoints")
        assert client.ask(b"Z2,0,4") == b"OK"  # twice is once
        assert client.ask(b"z2,0,4") == b"OK"
        assert client.ask(b"Z3,5000,1") == b"OK"
        for number in range(lib.HV_STOPS_MAX - lib.ENGINE_WATCHPOINTS):
            assert client.ask(b"Z0,%x,1" % number) == b"OK"
        assert client.ask(b"Z1,9999,1").startswith(b"E.there are 256 stop points")
        assert client.ask(b"z2,40,4") == b"OK"
        assert client.ask(b"Z4,0,0").startswith(b"E.0 bytes")
        assert client.ask(b"Z5,0,1") == b""
        reply, said = client.stopped(b"c")
        assert b"replaylog:end;" in reply
        assert b"shut down" in said


def test_acknowledgements_and_repetition() -> None:
    with Served("hello") as served, Client(served.port) as client:
        raw = client.socket
        raw.sendall(framed(b"qAttached"))
        assert receive(raw, b"+$1#31") == b"+$1#31"
        raw.sendall(b"-")
        assert receive(raw, b"$1#31") == b"$1#31"
        raw.sendall(b"+$qAttached#00")
        assert receive(raw, b"-") == b"-"
        raw.sendall(framed(b"QStartNoAckMode"))
        assert receive(raw, b"OK#9a") == b"+$OK#9a"
        raw.sendall(b"+$qAttached#00")
        assert receive(raw, b"#").startswith(b"$E.wrong checksum#")


def receive(raw: socket.socket, until: bytes) -> bytes:
    have = b""
    while until not in have:
        have += raw.recv(4096)
    return have


def test_a_second_client_is_refused_and_the_first_undisturbed() -> None:
    with Served(*TOUR) as served, served.client() as client:
        before = served.state_hash
        with Client(served.port) as second:
            assert second.socket.recv(100) == b"another gdb is connected to this guest\n"
            assert second.socket.recv(100) == b""
        assert client.ask(b"qC") == b"QCp1.1"
        assert served.state_hash == before
        client.send(b"c")
        with Client(served.port) as second:
            assert second.socket.recv(100) == b"another gdb is connected to this guest\n"
        assert b"replaylog:end;" in client.answer() + client.answer()


@pytest.mark.parametrize("last", [b"$m1234", b"$X0,40:}", framed(b"g")[:-1], b"\x03", b"$"])
def test_a_client_that_vanishes_in_the_middle_of_a_packet(last: bytes) -> None:
    with Served(*TOUR) as served:
        before = served.state_hash
        with served.client() as client:
            client.socket.sendall(last)
        with served.client() as client:
            assert client.monitor("position").strip() == "0"
            assert client.monitor("state-hash").strip() == before


def test_a_client_that_vanishes_while_the_guest_runs() -> None:
    with Served("tour", "rounds=100000") as served:
        with served.client() as client:
            client.ask(b"Z1,1234,1")
            client.send(b"c")
            while served.dom.hv.state.retired < 100_000:
                time.sleep(0.001)
        with served.client() as client:
            count = int(client.monitor("position").replace(",", ""))
            assert count > 0
            here = client.monitor("state-hash").strip()
            assert client.monitor("position").replace(",", "").strip() == str(count)
    assert hashes("tour", "rounds=100000", [Position(count)])[Position(count)] == here


def test_packets_sent_while_the_guest_runs_wait() -> None:
    with Served("tour", "rounds=100000") as served, served.client() as client:
        client.socket.sendall(framed(b"c") + framed(b"qC") + framed(b"g") * 200)
        while served.dom.hv.state.retired < 100_000:
            time.sleep(0.001)
        start = time.monotonic()
        client.socket.sendall(b"\x03")
        assert client.answer().startswith(b"T02")
        assert time.monotonic() - start < 10
        assert client.answer() == b"QCp1.1"
        assert len(client.answer()) > 1000


def test_detached_it_runs_and_the_next_gdb_stops_it() -> None:
    with Served("tour", "rounds=100000") as served:
        with served.client() as client:
            assert client.ask(b"D;1") == b"OK"
            assert client.socket.recv(10) == b""
        while served.dom.hv.state.retired < 100_000:
            time.sleep(0.001)
        with served.client() as client:
            count = int(client.monitor("position").replace(",", ""))
            assert count >= 100_000
            assert b"T05" in client.ask(b"bs")
            assert int(client.monitor("position").replace(",", "")) == count - 1


def test_it_ends_with_the_guest_when_nobody_is_there() -> None:
    with Served(*TOUR) as served:
        with served.client() as client:
            client.ask(b"D")
        served._thread.join(60)
    assert served.ended == "shutdown"


def test_kill() -> None:
    with Served(*TOUR) as served, served.client() as client:
        client.send(b"k")
        served._thread.join(60)
        assert served.ended == "kill"


# ---- fuzzing ----

WORDS = (
    b"qSupported", b"qXfer:features:read:target.xml:", b"qRcmd,", b"vCont", b"vCont;s:p1.1", b"Hg", b"Hc", b"Z0,",
    b"z2,", b"m", b"p", b"?", b"g", b"qThreadExtraInfo,", b"T", b"vAttach;", b"qqemu.PhyMemMode",
    b"Qqemu.PhyMemMode:", b"QStartNoAckMode", b"bs", b"s", b"S05", b"vCont;r", b"qfThreadInfo", b"vMustReplyEmpty",
    b"J", b"\xff",
)  # fmt: skip
PIECES = (
    b"0", b"1", b"ffffffffffffffff", b"-1", b",", b":", b";", b".", b"=", b"p1.1", b"p0.0", b"p-1.-1", b"zz", b"10,8",
    b"0x4", b"+", b"}", b"}\x03", b"\x00", b"\x80", b"1" * 40, b"_", b" 7", "é".encode(), b"706f736974696f6e",
    b"a" * 300,
)  # fmt: skip


def test_random_packets_change_nothing() -> None:
    """Thousands of packets of every kind that neither writes nor runs far; then the guest is where steps brought it,
    in the state of a straight run."""
    rng = random.Random(7)
    with Served(*TOUR) as served, served.client() as client:
        for _ in range(3000):
            body = rng.choice(WORDS) + b"".join(rng.choice(PIECES) for _ in range(rng.randrange(5)))
            body = body.replace(b"#", b"").replace(b"$", b"")
            if rng.randrange(20) == 0:
                client.socket.sendall(b"$" + body + b"#" + rng.choice((b"00", b"zz", b"0")))
                client.socket.sendall(b"$" + b"x" * rng.choice((0, MAX_PACKET + 1)))
            client.send(body)
            client.send(b"qC")
            while not client.answer().startswith(b"QC"):  # the server lives, and has answered all before
                pass
        client.send(b"Hgp1.1")
    assert served.ended == "kill"
    assert list(served.dom.hv.inputs) == []
    count = served.dom.hv.instructions
    if served.debugger.timeline.position == Position(count):
        assert hashes(*TOUR, [Position(count)])[Position(count)] == served.state_hash


def test_every_packet_with_random_ends_is_answered() -> None:
    """One answer to each, never an exception, whatever stands behind the first letter; what only looks leaves the state
    hash alone."""
    rng = random.Random(8)
    looking = sorted(set(PACKETS) - {b"G", b"P", b"M", b"X", b"s", b"c", b"S", b"C", b"b", b"k", b"D", b"v"})
    with Served(*TOUR) as served, served.client() as client:
        before = served.state_hash
        for _ in range(2000):
            body = rng.choice(looking) + b"".join(rng.choice(PIECES) for _ in range(rng.randrange(6)))
            answer = client.ask(body)
            while answer.startswith(b"O") and answer != b"OK":
                answer = client.answer()
            assert re.fullmatch(rb"(?s)OK|E.*|[0-9a-fx]*|T05.*|m.*|l.*|QC.*|PacketSize.*", answer), (body, answer)
        assert served.state_hash == before
