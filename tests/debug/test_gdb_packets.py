"""Framing of the remote protocol: whatever comes, and however it is cut."""

from __future__ import annotations

import random

import pytest

from hv.debug.gdb.packets import MAX_PACKET, MAX_WAITING, Event, Framer, Kind, escaped, framed, unescaped


def events(data: bytes, pieces: int = 0) -> tuple[list[Event], bytes]:
    """What a framer makes of `data`, whole or in pieces of that many bytes; the events and acknowledgements."""
    framer = Framer()
    for start in range(0, len(data), pieces or len(data)):
        framer.feed(data[start : start + (pieces or len(data))])
    return list(framer.events), framer.due


def test_packets_and_what_stands_between_them() -> None:
    data = b"++" + framed(b"qSupported:a;b") + b"-\x03 junk" + framed(b"") + b"$g#00" + b"$g#zz"
    wanted = [
        Event(Kind.PACKET, b"qSupported:a;b"), Event(Kind.NAK), Event(Kind.INTERRUPT), Event(Kind.PACKET, b""),
    ]  # fmt: skip
    for pieces in (0, 1, 2, 3, 7):
        assert events(data, pieces) == (wanted, b"++--")


def test_a_packet_that_begins_anew() -> None:
    assert events(b"$m12$g#67") == ([Event(Kind.PACKET, b"g")], b"+")


def test_without_acknowledgements() -> None:
    framer = Framer()
    framer.acks = False
    framer.feed(framed(b"g") + b"-" + b"$g#11")
    assert list(framer.events) == [Event(Kind.PACKET, b"g"), Event(Kind.BROKEN, b"wrong checksum")]
    assert framer.due == b""


@pytest.mark.parametrize("data", [b"", b"plain", b"$#}*", bytes(range(256)), b"}" * 9])
def test_escapes_are_undone(data: bytes) -> None:
    out = escaped(data)
    assert not set(out) & set(b"$#*")
    assert unescaped(out) == data


def test_an_escape_at_the_end() -> None:
    assert unescaped(b"ab}") == b"ab"


def test_a_packet_that_is_too_long() -> None:
    long = b"$" + b"a" * (MAX_PACKET * 3)
    framer = Framer()
    for start in range(0, len(long), 1000):
        framer.feed(long[start : start + 1000])
        assert len(framer._have) <= MAX_PACKET + 1004
    framer.feed(b"#00" + framed(b"g"))
    assert list(framer.events) == [Event(Kind.BROKEN, b"packet too long"), Event(Kind.PACKET, b"g")]
    whole = framed(b"a" * MAX_PACKET)
    assert events(whole)[0] == [Event(Kind.PACKET, b"a" * MAX_PACKET)]


def test_what_waits_is_bounded_and_ctrl_c_is_not_lost() -> None:
    found, _ = events(framed(b"g") * 1000 + b"\x03")
    assert len(found) == MAX_WAITING
    assert found[-1] == Event(Kind.INTERRUPT)


def test_random_bytes() -> None:
    rng = random.Random(1)
    alphabet = b"$#+-}\x03*g0123456789abcdef"
    for _ in range(3000):
        data = bytes(rng.choice(alphabet) for _ in range(rng.randrange(1, 60)))
        whole = events(data)
        assert whole == events(data, rng.randrange(1, 9))
        assert all(event.kind is not Kind.PACKET or b"#" not in event.data for event in whole[0] if b"}" not in data)
