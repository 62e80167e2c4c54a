"""Through the NAT to servers on the loopback: TCP, UDP, forwarded ports, files; and repeated without any of them."""

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import dpkt
import pytest

from hv.net import headers
from hv.net.listeners import Forward
from hv.net.nat import FIRST_GUEST, GATEWAY, Nat, NatConfig
from tests.devices.machine import TestMachine
from tests.net.guest import Guest, Stream, address
from tests.net.outside import World, connected, server

BIG = bytes(hashlib.sha256(b"%d" % (i // 32)).digest()[i % 32] for i in range(300_000))


Make = Callable[..., World]


@pytest.fixture
def make() -> Iterator[Make]:
    """World, but its sockets are closed in the end."""
    made: list[World] = []

    def new(*allow: str, **more: Any) -> World:
        made.append(World(*allow, **more))
        return made[-1]
    yield new
    for world in made:
        world.host.close()


def test_a_connection_carries_bytes_both_ways_and_ends(make: Make) -> None:
    world = make("host")
    with connected(world) as (stream, peer):
        peer.settimeout(10)
        stream.write(b"GET / HTTP/1.0\r\n\r\n")
        world.until(lambda: stream.acknowledged == stream.sequence, stream.run)
        world.host.poll()
        assert peer.recv(100) == b"GET / HTTP/1.0\r\n\r\n"
        peer.setblocking(False)
        sent = 0

        def turn() -> None:
            nonlocal sent
            with suppress(BlockingIOError):
                sent += peer.send(BIG[sent:]) if sent < len(BIG) else 0
            stream.run(100_000)
        world.until(lambda: len(stream.data) == len(BIG), turn)
        assert stream.data == BIG
        peer.close()
        world.until(lambda: stream.ended, stream.run)
        stream.finish()
        world.until(lambda: not world.nat.flows(), stream.run)
        stream.run()
        world.host.poll()
    assert not world.host.busy and not world.machine.deadlines


def test_what_the_guest_sends_waits_for_the_host_to_take_it(make: Make) -> None:
    world = make("host")
    with connected(world) as (stream, peer):
        peer.setblocking(False)
        got, at = b"", 0

        def turn() -> None:
            nonlocal got, at
            stream.run()
            room = stream.acknowledged + stream.peer_window - stream.sequence
            if at < len(BIG) and room > 0:
                piece = BIG[at : at + min(room, 1460)]
                stream.write(piece)
                at += len(piece)
            with suppress(BlockingIOError):
                got += peer.recv(50_000)
        world.until(lambda: len(got) == len(BIG), turn)
        assert got == BIG


def test_a_guest_that_reads_nothing_keeps_no_more_than_a_window_in_the_machine(make: Make) -> None:
    world = make("host")
    with connected(world, window=0) as (stream, peer):
        peer.setblocking(False)
        for _ in range(200):
            with suppress(BlockingIOError):
                peer.send(BIG)
            world.host.poll()
            stream.run()
        (connection,) = world.nat.tcp.by_flow.values()
        assert len(connection.out) == 65535
        assert stream.data == b""
        stream.window = 60000
        stream.send(0x10)
        world.until(lambda: len(stream.data) > 200_000, stream.run)
        assert BIG.startswith(stream.data[: len(BIG)])


def test_lost_segments_are_sent_again(make: Make) -> None:
    world = make("host")
    with connected(world) as (stream, peer):
        peer.sendall(BIG[:20_000])
        world.until(lambda: bool(world.nat.tcp.by_flow[1].out), lambda: None)
        world.machine.advance(20_000)
        del world.guest.received[3:6]
        world.until(lambda: len(stream.data) == 20_000, lambda: stream.run(300_000_000))
        assert stream.data == BIG[:20_000]


def test_a_guest_that_has_died_is_given_up(make: Make) -> None:
    world = make("host")
    with connected(world) as (_, peer):
        peer.settimeout(10)
        peer.sendall(b"anybody there?")
        world.until(lambda: bool(world.nat.tcp.by_flow[1].out), lambda: None)
        world.machine.advance(200 * 10**9)
        assert not world.nat.flows() and not world.machine.deadlines
        world.host.poll()
        with pytest.raises(ConnectionResetError):
            peer.recv(1)


@pytest.mark.parametrize("allow", [("none",), ("any",), ("host:1",)])
def test_what_the_policy_does_not_grant_is_refused(make: Make, allow: tuple[str, ...]) -> None:
    listener, port = server()
    world = make(*allow)
    with listener:
        stream = Stream(world.guest, GATEWAY, port)
        world.until(lambda: stream.unreachable, stream.run)
        direct = Stream(world.guest, address("127.0.0.1"), port, source=33001)
        world.until(lambda: direct.unreachable, direct.run)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_port_where_nobody_listens_is_refused(make: Make) -> None:
    listener, port = server()
    listener.close()
    world = make("host")
    stream = Stream(world.guest, GATEWAY, port)
    world.until(lambda: stream.refused, stream.run)
    datagram: list[dpkt.ip.IP] = []
    world.guest.udp(GATEWAY, port, b"x")

    def turn() -> None:
        datagram.extend(world.guest.packets())
        world.guest.udp(GATEWAY, port, b"x")
    world.until(lambda: bool(datagram), turn)
    assert (datagram[0].data.type, datagram[0].data.code) == (3, 3)


def test_datagrams_go_out_and_come_back(make: Make) -> None:
    echo, port = server(socket.SOCK_DGRAM)
    world = make("host")
    with echo:
        world.guest.udp(GATEWAY, port, b"short")
        world.host.poll()
        data, peer = echo.recvfrom(100)
        assert data == b"short" and world.host.busy
        echo.sendto(b"y" * 4000, peer)
        pieces: list[dpkt.ip.IP] = []
        world.until(lambda: len(pieces) == 3, lambda: pieces.extend(world.guest.packets()))
        whole = dpkt.udp.UDP(b"".join(bytes(p)[20:] for p in pieces))
        assert (whole.sport, whole.dport, whole.data) == (port, 4000, b"y" * 4000)
        assert not world.host.busy


def test_a_flood_of_connections_is_bounded(make: Make) -> None:
    listener, port = server()
    world = make("host")
    with listener:
        for source in range(1000, 4000):
            Stream(world.guest, GATEWAY, port, source=source)
            world.guest.udp(GATEWAY, 9, b"x", source)
        assert len(world.nat.tcp.by_flow) == 256 and len(world.nat.udp.by_key) == 128
        world.host.poll()
        world.nat.reset()
        world.host.poll()
        assert not world.nat.flows() and not world.host.busy


def test_a_port_of_the_hosts_leads_to_the_guest(make: Make) -> None:
    probe, port = server()
    probe.close()
    udp_probe, udp_port = server(socket.SOCK_DGRAM)
    udp_probe.close()
    world = make(forwards=(
        Forward(headers.TCP, "127.0.0.1", port, FIRST_GUEST, 80),
        Forward(headers.UDP, "127.0.0.1", udp_port, FIRST_GUEST, 69),
    ))  # fmt: skip
    guest = world.guest
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(10)
        syn: list[dpkt.ip.IP] = []
        world.until(lambda: bool(syn), lambda: syn.extend(guest.packets()))
        segment = syn[0].data
        assert (syn[0].src, segment.dport, segment.flags) == (GATEWAY, 80, 2)
        answer = dpkt.tcp.TCP(sport=80, dport=segment.sport, seq=500, ack=segment.seq + 1, flags=0x12, win=9000)
        guest.ip(GATEWAY, 6, answer)
        assert guest.packets()[0].data.flags == 0x10
        client.sendall(b"hello")
        data: list[dpkt.ip.IP] = []
        world.until(lambda: bool(data), lambda: data.extend(guest.packets()))
        assert data[0].data.data == b"hello"
        reply = dpkt.tcp.TCP(sport=80, dport=segment.sport, seq=501, ack=segment.seq + 6, flags=0x18, win=9000,
                             data=b"welcome")
        guest.ip(GATEWAY, 6, reply)
        world.host.poll()
        assert client.recv(100) == b"welcome"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(10)
        sender.sendto(b"ping", ("127.0.0.1", udp_port))
        found: list[dpkt.ip.IP] = []
        world.until(lambda: any(p.p == 17 for p in found), lambda: found.extend(guest.packets()))
        datagram = next(p.data for p in found if p.p == 17)
        assert (datagram.dport, datagram.data) == (69, b"ping")
        guest.udp(GATEWAY, datagram.sport, b"pong", source=69)
        world.host.poll()
        assert sender.recv(100) == b"pong"


def test_a_forwarded_port_that_is_taken_is_an_error() -> None:
    listener, port = server()
    with closing(listener), pytest.raises(OSError, match="in use"):
        World(forwards=(Forward(headers.TCP, "127.0.0.1", port, FIRST_GUEST, 80),))


# ---- files ----


def fetch(world: World, name: str, *options: bytes, source: int = 2000) -> tuple[bytes, list[bytes]]:
    """Read a file as a TFTP client does; its bytes, and the messages that were no data."""
    got, other, block = b"", [], 0
    request = b"\0\1" + b"\0".join((name.encode(), b"octet", *options)) + b"\0"
    world.guest.udp(GATEWAY, 69, request, source)
    for _ in range(100_000):
        world.host.poll()
        for packet in world.guest.packets():
            if packet.p != headers.UDP:
                continue
            message, port = packet.data.data, packet.data.sport
            code, number = int.from_bytes(message[:2], "big"), int.from_bytes(message[2:4], "big")
            if code != 3:
                other.append(message)
                if code == 5:
                    return got, other
                size = 1428 if b"blksize" in message else 512
                world.guest.udp(GATEWAY, port, b"\0\4\0\0", source)
                continue
            size = 512 if not other else size
            if number == (block + 1) & 0xFFFF:
                got, block = got + message[4:], block + 1
            world.guest.udp(GATEWAY, port, b"\0\4" + number.to_bytes(2, "big"), source)
            if len(message) - 4 < size:
                world.guest.take()
                return got, other
    raise AssertionError("no end")


def test_files_are_served_by_tftp(make: Make, tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    for name, size in (("empty", 0), ("even", 1024), ("boot/big", 200_001)):
        (tmp_path / name).write_bytes(BIG[:size])
    world = make(folder=tmp_path)
    assert fetch(world, "empty") == (b"", [])
    assert fetch(world, "/even") == (BIG[:1024], [])
    data, (oack,) = fetch(world, "boot/big", b"blksize", b"1468", b"TSIZE", b"0", source=2001)
    assert (data, oack) == (BIG[:200_001], b"\0\6blksize\x001428\0tsize\x00200001\0")
    assert not world.nat.flows()


def test_a_client_that_gave_up_may_ask_anew_from_the_same_port(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BIG[:2000])
    world = make(folder=tmp_path)
    world.guest.udp(GATEWAY, 69, b"\0\1file\0octet\0", 2000)
    world.guest.udp(GATEWAY, 69, b"\0\1file\0octet\0", 2000)  # asked again, before the host has looked
    world.host.poll()
    (first,) = world.guest.packets()
    assert first.data.data == b"\0\3\0\1" + BIG[:512]
    assert fetch(world, "file", source=2000) == (BIG[:2000], [])
    assert not world.nat.flows()


@pytest.mark.parametrize("name", ["../secret", "boot/../../secret", "/etc/passwd", "link", "", "no", "x\udcff", "."])
def test_other_files_are_not(make: Make, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    world = make(folder=folder)
    request = name.encode("utf-8", "surrogateescape")
    world.guest.udp(GATEWAY, 69, b"\0\1" + request + b"\0octet\0", 2000)
    world.host.poll()
    (answer,) = world.guest.packets()
    assert answer.data.data[:4] == b"\0\5\0\1"
    assert not world.nat.flows()


def test_nothing_is_written_and_transfers_are_bounded(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BIG)
    world = make(folder=tmp_path)
    world.guest.udp(GATEWAY, 69, b"\0\2file\0octet\0", 2000)
    assert world.guest.packets()[0].data.data[:4] == b"\0\5\0\2"
    for source in range(3000, 3200):
        world.guest.udp(GATEWAY, 69, b"\0\1file\0octet\0blksize\x0099999999999999999999\0", source)
    assert len(world.nat.tftp.transfers) == 16
    odd = (b"", b"\0", b"\0\1", b"\0\1file", b"\0\1\0\0", b"\0\x09\0\0\0\0", b"\0\1file\0octet\0blksize\0-5\0")
    for message in odd:
        world.guest.udp(GATEWAY, 69, message, 4000)
    world.host.poll()
    # Of the odd ones, that for a file without a name has taken the oldest one's place; the host has refused it.
    assert len(world.nat.tftp.transfers) == len(world.host._files) == 15
    assert (tmp_path / "file").read_bytes() == BIG and os.listdir(tmp_path) == ["file"]


# ---- again ----


def test_a_recorded_run_repeats_without_a_network(make: Make, tmp_path: Path) -> None:
    """Same frames from the guest and same events at the same times: same frames to the guest, same state."""
    (tmp_path / "file").write_bytes(BIG[:9000])
    world = make("host", folder=tmp_path)
    happened: list[tuple[int, str, bytes]] = []
    arrivals: list[tuple[int, int, bytes]] = []
    world.nat.tap = lambda number, now, frame: arrivals.append((number, now, frame))
    world.nat = world.guest.cable = world.gate.nat = Noting(world.nat, happened)  # type: ignore[assignment]
    before = world.nat.save()
    start = world.machine.now
    with connected(world) as (stream, peer):
        stream.write(b"hello")
        peer.sendall(BIG[:30_000])
        world.until(lambda: len(stream.data) == 30_000, stream.run)
    assert fetch(world, "file")[0] == BIG[:9000]

    machine = TestMachine()
    machine.now = start
    nat = Nat(machine, "net0", NatConfig(True, True))
    Guest(machine, nat)
    nat.load(before)
    again: list[tuple[int, int, bytes]] = []
    nat.tap = lambda number, now, frame: again.append((number, now, frame))
    for at, kind, data in happened:
        machine.advance(at - machine.now)
        getattr(nat, kind)(data)
    machine.advance(world.machine.now - machine.now)
    assert again == arrivals
    assert nat.save() == world.nat.save() and nat.canonical() == world.nat.canonical()


class Noting:
    """A NAT that writes down what comes from either side, and when."""

    def __init__(self, nat: Nat, log: list[tuple[int, str, bytes]]) -> None:
        self._nat, self._log = nat, log

    def __getattr__(self, name: str) -> object:
        return getattr(self._nat, name)

    def send(self, frame: bytes) -> None:
        self._log.append((self._nat.now_ns, "send", frame))
        self._nat.send(frame)

    def accept(self, data: bytes) -> None:
        self._log.append((self._nat.now_ns, "accept", data))
        self._nat.accept(data)


def test_saved_in_the_middle_it_goes_on_in_the_same_way(make: Make) -> None:
    world = make("host")
    with connected(world) as (_, peer):
        peer.sendall(BIG[:40_000])
        world.until(lambda: bool(world.nat.tcp.by_flow[1].out), lambda: None)
    copies = []
    for _ in range(2):
        machine = TestMachine()
        machine.now = world.machine.now
        copy = Nat(machine, "net0", NatConfig(True))
        guest = Guest(machine, copy)
        copy.load(world.nat.save())
        assert copy.save() == world.nat.save()
        copy.arm()
        machine.advance(10**9)
        copies.append((guest.received, copy.save()))
    assert copies[0] == copies[1] and len(copies[0][0]) > 20


def test_whoever_paces_the_run_is_told_when_the_guest_waits(make: Make) -> None:
    listener, port = server()
    world = make("host")
    told: list[bool] = []
    world.host.on_wait = told.append
    assert world.host.idle(10**9) == 10**9
    with listener:
        stream = Stream(world.guest, GATEWAY, port)
        assert told == [True] and world.host.idle(10**18) < 10**9
        world.until(lambda: stream.open, stream.run)
        stream.send(4)
        world.host.poll()
    assert told == [True, False]
