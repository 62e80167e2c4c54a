"""xenstore over the shared page: whole conversations of a pretended guest, and a guest that lies."""

import random

import pytest

from hv import abi
from hv.xenstore import wire
from hv.xenstore.daemon import Xenstored
from hv.xenstore.permissions import Permission
from hv.xenstore.ring import PAGE, REPLIES, REQUESTS, StoreRing
from hv.xenstore.wire import Message
from tests.shared_page import Page


class Guest:
    """A guest's side of the ring."""

    def __init__(self, server: Xenstored, domid: int = 1, start: int = 0) -> None:
        self.server, self.domid, self.page = server, domid, Page()
        for ring in (REQUESTS, REPLIES):
            self.page.set_u32(ring.cons, start)
            self.page.set_u32(ring.prod, start)
        home = f"/local/domain/{domid}"
        server.store.mkdir(0, home)
        server.store.set_permissions(0, home, (Permission.parse(f"n{domid}"),))
        server.introduce(StoreRing(domid, self.page.window, self.page.notify))
        self.received = b""

    def send(self, kind: int, payload: bytes = b"", req_id: int = 0, tx: int = 0) -> None:
        data = wire.message(kind, payload, req_id, tx)
        for _ in range(100):
            data = data[self.page.guest_put(REQUESTS, data):]
            self.server.serve()
        assert not data

    def receive(self) -> Message:
        for _ in range(100):
            self.received += self.page.guest_take(REPLIES, 100)
            self.server.serve()
            message, self.received = wire.next_message(self.received)
            if message:
                return message
        raise AssertionError(f"no reply; {len(self.received)} bytes came")

    def ask(self, kind: int, *texts: bytes, tx: int = 0) -> bytes:
        """The reply's payload; an error is its name."""
        self.send(kind, wire.strings(*texts), 77, tx)
        reply = self.receive()
        assert reply.req_id == 77 and reply.tx_id == tx and reply.type in (kind, abi.XS_ERROR)
        return reply.payload

    def write(self, path: bytes, value: bytes, tx: int = 0) -> bytes:
        self.send(abi.XS_WRITE, path + b"\0" + value, 5, tx)
        return self.receive().payload

    @property
    def error(self) -> int:
        return self.page.u32(PAGE.offset("error"))


@pytest.fixture
def server() -> Xenstored:
    return Xenstored()


@pytest.fixture
def guest(server: Xenstored) -> Guest:
    return Guest(server, start=0xFFFFFE00)


def test_every_request(guest: Guest) -> None:
    assert guest.write(b"a/b", b"va\0lue") == b"OK\0"
    assert guest.ask(abi.XS_READ, b"a/b") == b"va\0lue"
    assert guest.ask(abi.XS_MKDIR, b"a/c") == b"OK\0"
    assert guest.ask(abi.XS_DIRECTORY, b"a") == b"b\0c\0"
    assert guest.ask(abi.XS_DIRECTORY, b"a/c") == b""
    assert guest.ask(abi.XS_GET_PERMS, b"a") == b"n1\0"
    assert guest.ask(abi.XS_SET_PERMS, b"a", b"b1", b"r0") == b"OK\0"
    assert guest.ask(abi.XS_GET_PERMS, b"a") == b"b1\0r0\0"
    assert guest.ask(abi.XS_RM, b"a") == b"OK\0"
    assert guest.ask(abi.XS_READ, b"a/b") == b"ENOENT\0"
    assert guest.ask(abi.XS_GET_DOMAIN_PATH, b"5") == b"/local/domain/5\0"
    assert guest.ask(abi.XS_IS_DOMAIN_INTRODUCED, b"1") == b"T\0"
    assert guest.ask(abi.XS_IS_DOMAIN_INTRODUCED, b"9") == b"F\0"
    assert guest.ask(abi.XS_IS_DOMAIN_INTRODUCED, b"32752") == b"T\0"
    assert guest.page.events > 0 and guest.error == abi.XENSTORE_ERROR_NONE


@pytest.mark.parametrize(("kind", "payload", "tx", "error"), [
    (abi.XS_READ, b"", 0, b"EINVAL"),
    (abi.XS_READ, b"a", 0, b"EINVAL"),
    (abi.XS_READ, b"a\0b\0", 0, b"EINVAL"),
    (abi.XS_READ, b"\xff\xfe\0", 0, b"EINVAL"),
    (abi.XS_WRITE, b"a", 0, b"EINVAL"),
    (abi.XS_WRITE, b"\0", 0, b"EINVAL"),
    (abi.XS_WRITE, b"a\0" + bytes(2049), 0, b"ENOSPC"),
    (abi.XS_SET_PERMS, b"a\0", 0, b"EINVAL"),
    (abi.XS_SET_PERMS, b"a\0q1\0", 0, b"EINVAL"),
    (abi.XS_DIRECTORY_PART, b"a\0", 0, b"EINVAL"),
    (abi.XS_DIRECTORY_PART, b"data\0x\0", 0, b"EINVAL"),
    (abi.XS_TRANSACTION_END, b"T\0", 0, b"ENOENT"),
    (abi.XS_TRANSACTION_END, b"X\0", 0, b"EINVAL"),
    (abi.XS_TRANSACTION_END, b"T\0", 99, b"ENOENT"),
    (abi.XS_READ, b"data\0", 99, b"ENOENT"),
    (abi.XS_GET_DOMAIN_PATH, b"-1\0", 0, b"EINVAL"),
    (abi.XS_IS_DOMAIN_INTRODUCED, b"99999999999999999999\0", 0, b"EINVAL"),
    (abi.XS_WATCH, b"a\0", 0, b"EINVAL"),
    (abi.XS_WATCH, b"@noSuchEvent\0t\0", 0, b"EINVAL"),
    (abi.XS_UNWATCH, b"a\0t\0", 0, b"ENOENT"),
    (abi.XS_CONTROL, b"print\0", 0, b"EACCES"),
    (abi.XS_INTRODUCE, b"", 0, b"EACCES"),
    (abi.XS_RELEASE, b"1\0", 0, b"EACCES"),
    (abi.XS_RESUME, b"1\0", 0, b"EACCES"),
    (abi.XS_SET_TARGET, b"1\0", 0, b"EACCES"),
    (abi.XS_WATCH_EVENT, b"", 0, b"ENOSYS"),
    (abi.XS_ERROR, b"", 0, b"ENOSYS"),
    (20, b"", 0, b"ENOSYS"),
    (abi.XS_TYPE_COUNT, b"", 0, b"ENOSYS"),
    (0xFFFFFFFF, b"", 0, b"ENOSYS"),
])
def test_refusals(guest: Guest, kind: int, payload: bytes, tx: int, error: bytes) -> None:
    guest.write(b"data", b"")
    guest.send(kind, payload, 3, tx)
    assert guest.receive() == Message(abi.XS_ERROR, 3, tx, error + b"\0")


def test_transactions(server: Xenstored, guest: Guest) -> None:
    tx = int(guest.ask(abi.XS_TRANSACTION_START, b"")[:-1])
    assert guest.write(b"n", b"1", tx) == b"OK\0"
    assert guest.ask(abi.XS_TRANSACTION_START, b"", tx=tx) == b"EBUSY\0"
    assert guest.ask(abi.XS_READ, b"n") == b"ENOENT\0"
    server.store.write(0, "/local/domain/1/n", b"0")
    assert guest.ask(abi.XS_TRANSACTION_END, b"T", tx=tx) == b"EAGAIN\0"
    tx = int(guest.ask(abi.XS_TRANSACTION_START, b"")[:-1])
    guest.write(b"n", b"2", tx)
    assert guest.ask(abi.XS_TRANSACTION_END, b"T", tx=tx) == b"OK\0"
    assert guest.ask(abi.XS_READ, b"n") == b"2"


def test_watches_across_domains(server: Xenstored, guest: Guest) -> None:
    other = Guest(server, 2)
    assert guest.ask(abi.XS_WATCH, b"control", b"tok") == b"OK\0"
    assert guest.receive() == Message(abi.XS_WATCH_EVENT, 0, 0, b"control\0tok\0")
    assert guest.ask(abi.XS_WATCH, b"control", b"tok") == b"EEXIST\0"
    server.store.write(0, "/local/domain/1/control/shutdown", b"poweroff")
    server.serve()
    assert guest.receive().payload == b"control/shutdown\0tok\0"
    other.write(b"control/shutdown", b"")
    assert guest.ask(abi.XS_UNWATCH, b"control", b"tok") == b"OK\0"     # nothing came between
    guest.ask(abi.XS_WATCH, b"control", b"again")
    guest.receive()
    assert guest.ask(abi.XS_RESET_WATCHES, b"") == b"OK\0"
    server.store.write(0, "/local/domain/1/control/shutdown", b"halt")
    server.serve()
    assert guest.ask(abi.XS_READ, b"control/shutdown") == b"halt"


def test_own_events_come_behind_the_reply(guest: Guest) -> None:
    guest.ask(abi.XS_WATCH, b"a", b"t")
    guest.receive()
    assert guest.write(b"a", b"1") == b"OK\0"
    assert guest.receive().type == abi.XS_WATCH_EVENT


def test_domain_0_hears_of_domains(server: Xenstored) -> None:
    server.watch("@introduceDomain", "in")
    server.watch("@releaseDomain", "out")
    server.events()
    Guest(server, 3)
    assert server.events() == [("@introduceDomain", "in")]
    server.release(3)
    assert server.events() == [("@releaseDomain", "out")]
    server.unwatch("@releaseDomain", "out")


def test_long_directories_come_in_parts(server: Xenstored, guest: Guest) -> None:
    names = [f"a-rather-long-name-{i:04}" for i in range(500)]
    for name in names:
        server.store.mkdir(0, f"/local/domain/1/d/{name}")
    assert guest.ask(abi.XS_DIRECTORY, b"d") == b"E2BIG\0"
    got, generations = b"", set()
    while not got.endswith(b"\0\0"):
        generation, _, part = guest.ask(abi.XS_DIRECTORY_PART, b"d", str(len(got)).encode()).partition(b"\0")
        generations.add(generation)
        got += part
    assert got[:-2].decode().split("\0") == names and len(generations) == 1
    assert guest.ask(abi.XS_DIRECTORY_PART, b"d", b"9999999").endswith(b"\0\0")


def test_guest_that_reads_no_replies_stops_itself(server: Xenstored, guest: Guest) -> None:
    guest.write(b"v", bytes(2000))
    request = wire.message(abi.XS_READ, b"v\0")
    for _ in range(1000):
        guest.page.guest_put(REQUESTS, request)
        server.serve()
    assert len(server.store.connection(1).outgoing) == 1


def test_watch_storm_is_bounded(server: Xenstored, guest: Guest) -> None:
    guest.ask(abi.XS_WATCH, b"a", b"t" * 900)
    for _ in range(1000):
        server.store.write(0, "/local/domain/1/a", b"")
    assert len(server.store.connection(1).outgoing) <= 3


def test_reconnection(server: Xenstored, guest: Guest) -> None:
    guest.ask(abi.XS_WATCH, b"a", b"t")
    guest.page.guest_put(REQUESTS, b"half a mess")
    guest.page.set_u32(PAGE.offset("connection"), abi.XENSTORE_RECONNECT)
    server.serve()
    assert guest.page.u32(PAGE.offset("connection")) == abi.XENSTORE_CONNECTED
    assert guest.page.u32(REQUESTS.prod) == guest.page.u32(REPLIES.prod) == 0
    guest.received = b""
    assert guest.write(b"a", b"") == b"OK\0" and guest.page.u32(REPLIES.cons) == guest.page.u32(REPLIES.prod)


def test_impossible_index_and_length_end_the_connection(server: Xenstored) -> None:
    for domid, ring in ((1, REQUESTS), (2, REPLIES)):
        guest = Guest(server, domid)
        guest.page.guest_put(REQUESTS, wire.message(abi.XS_READ, b"a\0"))
        guest.page.set_u32(ring.prod, guest.page.u32(ring.cons) + abi.XENSTORE_RING_SIZE + 1)
        server.serve()
        assert guest.error == abi.XENSTORE_ERROR_RINGIDX
        before = bytes(guest.page.data)
        server.serve()
        assert bytes(guest.page.data) == before
    guest = Guest(server, 3)
    guest.page.guest_put(REQUESTS, wire.HEADER.pack(abi.XS_READ, 0, 0, abi.XENSTORE_PAYLOAD_MAX + 1))
    server.serve()
    assert guest.error == abi.XENSTORE_ERROR_PROTO
    guest.page.set_u32(PAGE.offset("connection"), abi.XENSTORE_RECONNECT)     # the way back
    server.serve()
    assert guest.write(b"a", b"") == b"OK\0"


def fuzz(seed: int) -> bytes:
    """A lying guest beside an honest one; the digest at the end."""
    dice = random.Random(seed)
    server = Xenstored()
    liar, honest = Guest(server, 1), Guest(server, 2)
    honest.write(b"keep", b"kept")
    words = [b"a", b"a/b", b"/", b"", b"\0", b"T", b"F", b"0", b"r1", b"b2", b"/local/domain/2/keep", b"@x",
             b"../x", b"\xff" * 9, b"x" * 3000]
    for _ in range(1500):
        roll = dice.random()
        if roll < 0.80:
            payload = wire.strings(*dice.choices(words, k=dice.randrange(4)))[dice.randrange(2):]
            liar.page.guest_put(REQUESTS, wire.message(dice.randrange(25), payload, 1, dice.randrange(4)))
        elif roll < 0.9:
            at = dice.choice([REQUESTS.cons, REQUESTS.prod, REPLIES.cons, REPLIES.prod])
            liar.page.set_u32(at, dice.choice([dice.getrandbits(32), liar.page.u32(at) + dice.randrange(-9, 9)]))
        else:
            liar.page.data[dice.randrange(2048)] ^= 1 << dice.randrange(8)
        server.serve()
        liar.page.guest_take(REPLIES)
        if server.store.connection(1).error:
            liar.page.set_u32(PAGE.offset("connection"), abi.XENSTORE_RECONNECT)
            server.serve()
    assert honest.ask(abi.XS_READ, b"keep") == b"kept"
    assert honest.ask(abi.XS_GET_PERMS, b"keep") == b"n2\0"
    return server.digest()


@pytest.mark.parametrize("seed", range(4))
def test_hostile_ring(seed: int) -> None:
    assert fuzz(seed) == fuzz(seed), "the same requests must leave the same state"
