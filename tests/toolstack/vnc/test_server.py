"""The server over real sockets: clients that behave, and clients that do not."""

from __future__ import annotations

import select
import socket
import time

import pytest

from hv.toolstack.vnc import auth
from hv.toolstack.vnc.server import (
    CLIENTS_MOST,
    HANDSHAKE_SECONDS,
    LOCKED_SECONDS,
    STALLED_SECONDS,
    WRONG_PASSWORDS,
    VncServer,
    listen,
)
from tests.toolstack.vnc.bench import PASSWORD, Log, connect, key_event, read, request, served, text_screen

NONE = b"RFB 003.008\n\x01\x01"


class Bench:
    """A server that the test polls itself, with a clock of its own."""

    def __init__(self, password: str | None = None) -> None:
        self.now, self.log, self.vga = 100.0, Log(), text_screen()
        self.server = VncServer(
            self.vga.screen, self.log, listen(port=0), password=password, clock=lambda: self.now
        )

    def poll(self, seconds: float = 0.0) -> None:
        self.now += seconds
        assert self.server.poll() is False

    def settle(self, client: socket.socket) -> None:
        """Until what the client has sent is there."""
        select.select(self.server.files(), [], [], 20)
        self.poll()

    def join(self, data: bytes = NONE) -> socket.socket:
        client = connect(self.server)
        client.sendall(data)
        before = self.server.clients
        self.settle(client)
        assert self.server.clients == before + 1
        return client

    def turned_away(self, data: bytes) -> bool:
        """A client that sends this is let go before long."""
        client, until = connect(self.server), time.monotonic() + 20
        client.sendall(data)
        client.setblocking(False)
        while time.monotonic() < until:
            self.poll()
            try:
                if not client.recv(1 << 16):
                    return True
            except BlockingIOError:
                select.select([client], [], [], 0.01)
            except ConnectionError:
                return True
        return False

    def enter(self) -> socket.socket:
        """A client past the handshake."""
        client = self.join()
        self.wait(client, 12 + 2 + 4 + 24 + len("xenlab"))
        return client

    def wait(self, client: socket.socket, count: int) -> bytes:
        """So many bytes from the server, while it works."""
        data, until = b"", time.monotonic() + 20
        client.setblocking(False)
        while len(data) < count:
            assert time.monotonic() < until
            self.poll()
            try:
                piece = client.recv(count - len(data))
            except BlockingIOError:
                select.select([client], [], [], 0.01)
                continue
            assert piece
            data += piece
        return data


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    yield made
    made.server.close()


def gone(client: socket.socket) -> bool:
    """Whether the server has closed the connection, whatever it still said."""
    client.settimeout(20)
    try:
        while client.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    return True


def test_it_listens_on_loopback_only() -> None:
    assert listen(port=0).getsockname()[0] == "127.0.0.1"


def test_a_client_sees_and_types(bench: Bench) -> None:
    client = bench.enter()
    client.sendall(request(720, 400) + key_event(97, True))
    update = bench.wait(client, 16 + 720 * 400 * 4)
    assert update[16 + 4 * 720 * 15 :][:3] == bytes((170, 0, 0))  # blue behind the first line
    assert bench.log.keys == "+a"
    client.close()
    bench.poll()
    bench.poll()
    assert bench.log.keys == "+a -a"
    assert bench.server.clients == 0


def test_what_was_sent_before_leaving_still_counts(bench: Bench) -> None:
    client = bench.enter()
    client.sendall(b"".join(key_event(97 + n % 26, down) for n in range(100) for down in (True, False)))
    client.close()
    while bench.server.clients:
        bench.poll()
    assert len(bench.log.events) == 200
    assert bench.log.events[-1] == ("v", False)


def test_a_picture_is_shown_at_most_thirty_times_a_second(bench: Bench) -> None:
    client = bench.enter()
    client.sendall(request(720, 400))
    bench.wait(client, 16 + 720 * 400 * 4)
    bench.vga.say(5, 0, "NEWS")
    client.sendall(request(720, 400, True))
    bench.settle(client)
    bench.poll()
    with pytest.raises(BlockingIOError):
        client.recv(1)
    bench.poll(1 / 30)
    assert bench.wait(client, 16)[:4] == b"\0\0\0\1"


def test_a_slow_client_holds_nobody_up(bench: Bench) -> None:
    bench.vga.vbe_mode(1920, 1080, 32)
    slow, quick = bench.enter(), bench.enter()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # else the kernel may take the whole picture for it
    slow.sendall(request(1920, 1080))
    quick.sendall(request(1920, 1080))
    bench.settle(slow)
    bench.wait(quick, 16 + 1920 * 1080 * 4)
    for number in range(5):  # slow takes nothing, and gets no second picture
        bench.vga.frame_buffer(0, bytes((number + 1,)) * 4096)
        quick.sendall(request(1920, 1080, True))
        bench.settle(quick)
        bench.poll(STALLED_SECONDS / 10)
        bench.wait(quick, 16 + 4 * 1024 * 16)
    assert bench.server.clients == 2
    assert bench.server.patience() < 0.01
    for _ in range(20):  # the kernel may still take some for it, now and then
        bench.poll(STALLED_SECONDS + 1)
    assert bench.server.clients == 1  # slow's end is not waited for: it lies behind minutes of what slow has not taken


def test_who_says_nothing_is_dropped(bench: Bench) -> None:
    silent, half = bench.join(b""), bench.join(b"RFB 003.0")
    bench.poll(HANDSHAKE_SECONDS - 1)
    assert bench.server.clients == 2
    bench.poll(2)
    assert bench.server.clients == 0
    assert gone(silent)
    assert gone(half)


def test_no_more_than_so_many(bench: Bench) -> None:
    clients = [bench.join() for _ in range(CLIENTS_MOST)]
    late = connect(bench.server)
    bench.settle(late)
    assert gone(late)
    assert bench.server.clients == CLIENTS_MOST
    clients[0].close()
    bench.poll()
    bench.poll()
    bench.join()


def test_wrong_passwords_lock_the_door() -> None:
    bench = Bench(PASSWORD)
    for _ in range(WRONG_PASSWORDS):
        assert bench.turned_away(b"RFB 003.008\n\x02" + bytes(16))
    late = connect(bench.server)
    bench.settle(late)
    assert bench.server.clients == 0
    assert gone(late)
    bench.now += LOCKED_SECONDS
    client = bench.join(b"RFB 003.008\n\x02")
    challenge = bench.wait(client, 12 + 2 + 16)[14:]
    client.sendall(auth.response(auth.password_key(PASSWORD), challenge) + b"\1")
    bench.settle(client)
    assert bench.wait(client, 8)[:4] == b"\0\0\0\0"
    bench.server.close()


def test_many_bad_clients_at_once_while_a_good_one_works() -> None:
    vga, log = text_screen(), Log()
    with served(vga.screen, log, None) as server:
        good = connect(server)
        good.sendall(NONE)
        read(good, 12 + 2 + 4 + 24 + 4)
        lies = (b"", b"GET /", NONE + b"\xff", NONE + b"\6\0\0\0\xff\xff\xff\xff" + bytes(9999))
        for number in range(60):
            bad = connect(server)
            try:
                bad.sendall(lies[number % 4])
                if number % 3:
                    bad.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not an end
            except OSError:
                pass
            bad.close()
            if number % 20 == 0:
                good.sendall(request(720, 400))
                assert len(read(good, 16 + 720 * 400 * 4)) == 16 + 720 * 400 * 4
        good.close()
    assert log.events == []


def test_looking_leaves_the_device_as_it_is() -> None:
    vga, log = text_screen(), Log()
    before = vga.vga.canonical(), bytes(vga.vga.memory.bytes)
    with served(vga.screen, log, None) as server:
        client = connect(server)
        client.sendall(NONE + request(720, 400))
        read(client, 12 + 2 + 4 + 24 + 4 + 16 + 720 * 400 * 4)
        client.close()
    assert (vga.vga.canonical(), bytes(vga.vga.memory.bytes)) == before
