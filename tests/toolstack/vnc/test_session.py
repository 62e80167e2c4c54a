"""A client's conversation, byte by byte and without a socket."""

from __future__ import annotations

import random
import struct
import zlib

import pytest

from hv.devices.picture import Picture
from hv.devices.screen_changes import Rectangle
from hv.toolstack.vnc import auth
from hv.toolstack.vnc.encodings import DESKTOP_SIZE, RAW, TIGHT, ZLIB, Encoder
from hv.toolstack.vnc.inputs import Pointer
from hv.toolstack.vnc.pixels import SERVER_FORMAT, FormatError, PixelFormat, read_format
from hv.toolstack.vnc.session import INPUT_MOST, Session
from tests.toolstack.vnc.bench import PASSWORD, Log, encodings, key_event, pointer_event, request

KEY = auth.password_key(PASSWORD)
SMALL = Picture(100, 50, bytes((x * 2 + y) & 255 for y in range(50) for x in range(300)))


def drain(session: Session) -> bytes:
    data = session.take(1 << 30)
    session.sent(len(data))
    return data


def opened(log: Log | None = None, picture: Picture = SMALL) -> Session:
    session = Session(None, log or Log(), "test", lambda: picture)
    session.feed(b"RFB 003.008\n\x01\x01")
    drain(session)
    assert session.ready
    return session


def changed(picture: Picture, x: int, y: int, color: bytes = b"\1\2\3") -> Picture:
    at = 3 * (y * picture.width + x)
    return Picture(picture.width, picture.height, picture.rgb[:at] + color + picture.rgb[at + 3 :])


# ---- handshake ----


@pytest.mark.parametrize("piece", [1, 5, 100])
def test_handshake_without_a_password(piece: int) -> None:
    session, data = Session(None, Log(), "näme", lambda: SMALL), b"RFB 003.008\n\x01\x01"
    for at in range(0, len(data), piece):
        session.feed(data[at : at + piece])
    name = "näme".encode()
    assert drain(session) == (
        b"RFB 003.008\n" + b"\x01\x01" + b"\0\0\0\0" + struct.pack(">HH", 100, 50) + SERVER_FORMAT.packed()
        + struct.pack(">I", len(name)) + name
    )  # fmt: skip
    assert session.ready


@pytest.mark.parametrize("version", ["003.003", "003.005", "003.007", "003.008", "003.889", "004.001"])
def test_handshake_with_a_password(version: str) -> None:
    session = Session(KEY, Log(), "test", lambda: SMALL)
    session.feed(b"RFB %s\n" % version.encode())
    said = drain(session)
    if version < "003.007":
        assert said[12:16] == b"\0\0\0\2"
        challenge = said[16:]
    else:
        assert said[12:] == b"\x01\x02"
        session.feed(b"\x02")
        challenge = drain(session)
    assert len(challenge) == 16
    session.feed(auth.response(KEY, challenge))
    assert drain(session) == b"\0\0\0\0"
    session.feed(b"\x00")
    assert drain(session)[:4] == struct.pack(">HH", 100, 50)


@pytest.mark.parametrize(("version", "reason"), [(b"003.003", False), (b"003.007", False), (b"003.008", True)])
def test_a_wrong_password(version: bytes, reason: bool) -> None:
    session = Session(KEY, Log(), "test", lambda: pytest.fail("nobody looks"))
    session.feed(b"RFB %s\n" % version)
    session.feed(b"\x02" if version > b"003.006" else b"")
    drain(session)
    session.feed(bytes(16) + b"\x01" + key_event(97, True))
    said = drain(session)
    assert said[:4] == b"\0\0\0\1"
    assert (said[4:] == b"\0\0\0\x15the password is wrong") is reason
    assert session.closed == "the password is wrong"
    assert session.refused
    assert not session.ready


def test_des_as_vnc_uses_it() -> None:
    # a known pair of DES, with the key's bits mirrored
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in bytes.fromhex("133457799BBCDFF1"))
    key = auth.password_key(mirrored.decode("latin-1"))
    assert auth.response(key, bytes.fromhex("0123456789ABCDEF") * 2) == bytes.fromhex("85E813540F0AB405") * 2


@pytest.mark.parametrize("password", ["", "123456789", "\u20ac"])
def test_passwords_that_vnc_has_not(password: str) -> None:
    with pytest.raises(ValueError, match="VNC password"):
        auth.password_key(password)


def test_new_passwords_differ() -> None:
    assert len({auth.new_password() for _ in range(20)}) == 20
    assert len(auth.new_password()) == 8


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\n\r\n", b"RFB 002.001\n", b"RFB xxx.yyy\n", b"RFB 003.008\r",
    b"RFB 003.008\n\x10", b"RFB 003.008\n\x02",
])  # fmt: skip
def test_handshakes_that_make_no_sense(data: bytes) -> None:
    session = Session(None, Log(), "test", lambda: SMALL)
    session.feed(data)
    assert session.closed


# ---- pictures ----


def decoded(session: Session, canvas: dict[tuple[int, int], bytes], unzip: object = None) -> list[Rectangle]:
    """Put a raw update of the server's own format on a canvas; where."""
    data, at, found = drain(session), 4, []
    assert data[0] == 0
    for _ in range(int.from_bytes(data[2:4], "big")):
        x, y, width, height, kind = struct.unpack_from(">HHHHi", data, at)
        at += 12
        found.append(Rectangle(x, y, width, height))
        if kind == DESKTOP_SIZE:
            continue
        assert kind == RAW
        for dy in range(height):
            for dx in range(width):
                blue, green, red, _ = data[at : at + 4]
                canvas[x + dx, y + dy] = bytes((red, green, blue))
                at += 4
    assert at == len(data)
    return found


def canvas_of(picture: Picture) -> dict[tuple[int, int], bytes]:
    return {(x, y): bytes(picture.pixel(x, y)) for y in range(picture.height) for x in range(picture.width)}


def test_first_everything_then_what_has_changed() -> None:
    session, canvas = opened(), {}
    assert not session.update(SMALL)  # nobody has asked
    session.feed(request(100, 50))
    assert session.wants_update
    assert session.update(SMALL)
    assert decoded(session, canvas) == [Rectangle(0, 0, 100, 50)]
    session.feed(request(100, 50, True))
    assert not session.update(SMALL)
    assert session.wants_update
    other = changed(SMALL, 70, 20)
    assert session.update(other)
    assert decoded(session, canvas) == [Rectangle(64, 16, 36, 16)]
    assert canvas == canvas_of(other)


def test_a_part_that_is_asked_for_again_leaves_nothing_old() -> None:
    session, canvas = opened(), {}
    session.feed(request(100, 50))
    session.update(SMALL)
    decoded(session, canvas)
    other = changed(changed(SMALL, 2, 2), 90, 45)
    session.feed(request(10, 10))
    assert session.update(other)
    decoded(session, canvas)
    session.feed(request(100, 50, True))
    if session.update(SMALL):
        decoded(session, canvas)
    assert canvas == canvas_of(SMALL)


def test_requests_outside_of_the_picture() -> None:
    session = opened()
    session.feed(request(100, 50))
    session.update(SMALL)
    drain(session)
    for area in ((0, 0, 0, 0), (65535, 65535, 65535, 65535), (90, 45, 65535, 65535), (100, 0, 5, 5)):
        x, y, width, height = area
        session.feed(request(width, height, x=x, y=y))
        assert session.update(SMALL)
        canvas: dict[tuple[int, int], bytes] = {}
        decoded(session, canvas)
        assert canvas.keys() <= canvas_of(SMALL).keys()


def test_a_new_size_is_told_and_then_shown() -> None:
    session, larger = opened(), Picture(120, 60, bytes(range(240)) * 90)
    session.feed(encodings(RAW, DESKTOP_SIZE) + request(100, 50))
    session.update(SMALL)
    drain(session)
    session.feed(request(100, 50, True))
    assert session.update(larger)
    assert drain(session) == struct.pack(">BxHHHHHi", 0, 1, 0, 0, 120, 60, DESKTOP_SIZE)
    session.feed(request(120, 60, True))
    canvas: dict[tuple[int, int], bytes] = {}
    assert session.update(larger)
    decoded(session, canvas)
    assert canvas == canvas_of(larger)


@pytest.mark.parametrize(("width", "height"), [(120, 60), (80, 40), (120, 40)])
def test_who_cannot_change_size_sees_what_fits(width: int, height: int) -> None:
    session, other = opened(), Picture(width, height, bytes(range(240)) * (width * height // 80))
    session.feed(request(100, 50))
    canvas: dict[tuple[int, int], bytes] = {}
    assert session.update(other)
    assert decoded(session, canvas) == [Rectangle(0, 0, 100, 50)]
    for (x, y), color in canvas.items():
        assert color == (bytes(other.pixel(x, y)) if x < width and y < height else b"\0\0\0")


@pytest.mark.parametrize(("wanted", "kind"), [
    ((), RAW), ((ZLIB, RAW), ZLIB), ((16, 5, TIGHT, ZLIB), TIGHT), ((RAW, TIGHT), RAW), ((99, -5), RAW),
])  # fmt: skip
def test_the_first_encoding_that_both_know(wanted: tuple[int, ...], kind: int) -> None:
    session = opened()
    session.feed(encodings(*wanted) + request(100, 50))
    session.update(SMALL)
    assert struct.unpack_from(">i", drain(session), 12)[0] == kind


def test_zlib_goes_on_from_update_to_update() -> None:
    encoder, stream = Encoder(), zlib.decompressobj()
    for picture in (SMALL, changed(SMALL, 5, 5), SMALL):
        data = encoder.update(picture, [Rectangle(3, 4, 50, 20)], SERVER_FORMAT, (ZLIB,))
        assert struct.unpack_from(">BxHHHHHiI", data) == (0, 1, 3, 4, 50, 20, ZLIB, len(data) - 20)
        assert stream.decompress(data[20:]) == SERVER_FORMAT.pack(picture.cut(3, 4, 50, 20))


def tight_rectangles(data: bytes, stream: zlib._Decompress) -> list[tuple[Rectangle, bytes]]:
    at, found = 4, []
    for _ in range(int.from_bytes(data[2:4], "big")):
        x, y, width, height, kind, control = struct.unpack_from(">HHHHiB", data, at)
        at += 13
        assert kind == TIGHT
        size = 3 * width * height
        if control == 0x80:
            rgb, at = data[at : at + 3] * (width * height), at + 3
        elif size < 12:
            rgb, at = data[at : at + size], at + size
        else:
            assert control == 0
            length = shift = 0
            for place in range(3):
                byte, at = data[at], at + 1
                length |= (byte if place == 2 else byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80:
                    break
            rgb, at = stream.decompress(data[at : at + length]), at + length
        assert len(rgb) == size
        found.append((Rectangle(x, y, width, height), rgb))
    assert at == len(data)
    return found


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 1), (100, 50), (2049, 3), (5000, 400)])
def test_tight(width: int, height: int) -> None:
    rng = random.Random(width)
    picture = Picture(width, height, rng.randbytes(3 * width * height))
    encoder, stream = Encoder(), zlib.decompressobj()
    for _ in range(2):
        covered = 0
        data = encoder.update(picture, [Rectangle(0, 0, width, height)], SERVER_FORMAT, (TIGHT,))
        for part, rgb in tight_rectangles(data, stream):
            assert part.width <= 2048
            assert rgb == picture.cut(*part)
            covered += part.width * part.height
        assert covered == width * height


def test_tight_of_one_color() -> None:
    picture = Picture(100, 50, b"\1\2\3" * 5000)
    data = Encoder().update(picture, [Rectangle(0, 0, 100, 50)], SERVER_FORMAT, (TIGHT,))
    assert data == struct.pack(">BxHHHHHiB", 0, 1, 0, 0, 100, 50, TIGHT, 0x80) + b"\1\2\3"


# ---- pixel formats ----


@pytest.mark.parametrize("pixels", [
    SERVER_FORMAT, PixelFormat(32, 24, True, (255, 255, 255), (16, 8, 0)),
    PixelFormat(16, 16, False, (31, 63, 31), (11, 5, 0)), PixelFormat(16, 15, True, (31, 31, 31), (0, 5, 10)),
    PixelFormat(8, 8, False, (7, 7, 3), (5, 2, 0)), PixelFormat(32, 30, False, (1023, 1023, 1023), (20, 10, 0)),
    PixelFormat(32, 24, False, (255, 0, 255), (8, 0, 24)),
])  # fmt: skip
def test_pixels(pixels: PixelFormat) -> None:
    rgb = random.Random(1).randbytes(3 * 200) + b"\xff" * 3 + bytes(3)
    expected = b""
    for at in range(0, len(rgb), 3):
        value = 0
        for byte, most, shift in zip(rgb[at : at + 3], pixels.maxima, pixels.shifts, strict=True):
            value |= round(byte * most / 255) << shift
        expected += value.to_bytes(pixels.bits // 8, "big" if pixels.big_endian else "little")
    assert pixels.pack(rgb) == expected
    assert read_format(pixels.packed()) == pixels


@pytest.mark.parametrize("data", [
    PixelFormat(24, 24, False, (255, 255, 255), (16, 8, 0)).packed(),
    PixelFormat(0, 0, False, (0, 0, 0), (0, 0, 0)).packed(),
    PixelFormat(16, 16, False, (255, 255, 255), (16, 8, 0)).packed(),
    PixelFormat(32, 24, False, (65535, 255, 255), (17, 8, 0)).packed(),
    PixelFormat(32, 24, False, (255, 255, 255), (255, 8, 0), True).packed(),
    PixelFormat(16, 16, False, (0, 0, 0), (0, 0, 0), False).packed(),
])  # fmt: skip
def test_formats_that_nobody_has(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_format(data)
    session = opened()
    session.feed(b"\0\0\0\0" + data)
    assert session.closed


def test_a_color_map() -> None:
    session = opened()
    session.feed(b"\0\0\0\0" + PixelFormat(8, 8, False, (0, 0, 0), (0, 0, 0), False).packed() + request(100, 50))
    colors = drain(session)
    assert struct.unpack_from(">BxHH", colors) == (1, 0, 256)
    session.update(SMALL)
    pixels = drain(session)[16:]
    assert len(pixels) == 5000
    for at in (0, 77, 4999):
        shown = struct.unpack_from(">HHH", colors, 6 + 6 * pixels[at])
        for value, true, steps in zip(shown, SMALL.rgb[3 * at : 3 * at + 3], (7, 7, 3), strict=True):
            assert abs(value / 257 - true) <= 255 / steps / 2 + 1


# ---- keys and pointer ----


def test_keys_reach_the_guest_a_few_at_a_time() -> None:
    log = Log()
    session = opened(log)
    session.feed(b"".join(key_event(97 + n, down) for n in range(10) for down in (True, False)))
    assert log.keys == "+a -a +b -b +c -c +d -d"
    assert session.waiting
    session.feed(b"")
    session.feed(b"")
    assert log.keys.endswith("+i -i +j -j")
    assert not session.waiting


def test_moves_become_one_event_and_clicks_stay() -> None:
    log = Log()
    session = opened(log)
    session.feed(pointer_event(10, 10) + pointer_event(20, 15) + pointer_event(30, 17))
    session.feed(pointer_event(31, 18) + pointer_event(31, 18, 1) + pointer_event(31, 18) + pointer_event(500, 500, 4))
    assert log.pointers == [
        Pointer(30, 17, 100, 50, 20, 7, 0, 0), Pointer(31, 18, 100, 50, 1, 1, 1, 0),
        Pointer(31, 18, 100, 50, 0, 0, 0, 0), Pointer(99, 49, 100, 50, 68, 31, 4, 0),
    ]  # fmt: skip
    session.feed(pointer_event(99, 49, 4 | 8) + pointer_event(99, 49, 4) + pointer_event(99, 49, 4 | 16))
    assert [(event.buttons, event.wheel) for event in log.pointers[4:]] == [(4, 1), (4, -1)]


def test_who_leaves_lets_everything_go() -> None:
    log = Log()
    session = opened(log)
    session.feed(key_event(0xFFE1, True) + key_event(65, True) + pointer_event(5, 5, 1))
    session.end("gone")
    session.end("again")
    assert log.keys == "+shift +a -shift -a"
    assert [event.buttons for event in log.pointers] == [1, 0]
    session.feed(key_event(98, True))
    assert log.keys == "+shift +a -shift -a"


# ---- bad clients ----


def test_a_long_text_is_skipped() -> None:
    log = Log()
    session = opened(log)
    session.feed(b"\6\0\0\0" + struct.pack(">I", 300_000) + bytes(100_000))
    for _ in range(2):
        session.feed(bytes(100_000))
    assert session.room == INPUT_MOST
    session.feed(key_event(97, True))
    assert log.keys == "+a"


@pytest.mark.parametrize("message", [b"\1", b"\xff", b"\x96", b"\2\0\xff\xff"])
def test_messages_that_no_client_sends(message: bytes) -> None:
    session = opened()
    session.feed(message)
    assert session.closed
    assert session.room == 0


@pytest.mark.parametrize("seed", range(20))
def test_noise(seed: int) -> None:
    rng, log = random.Random(seed), Log()
    session = Session(None, log, "test", lambda: SMALL)
    session.feed(b"RFB 003.008\n\x01\x01" if seed % 2 else b"")
    picture = SMALL
    for _ in range(300):
        if session.closed:
            break
        piece = rng.choice((
            rng.randbytes(rng.randrange(40)),
            bytes((rng.choice((0, 2, 3, 4, 5, 6)),)) + rng.randbytes(rng.randrange(20)),
            request(*(rng.randrange(200) for _ in range(2))),
            key_event(rng.randrange(0x10000), bool(rng.getrandbits(1))),
            pointer_event(rng.randrange(300), rng.randrange(300), rng.randrange(256)),
            encodings(*(rng.choice((0, 6, 7, -223)) for _ in range(3))),
        ))  # fmt: skip
        if len(piece) <= session.room:
            session.feed(piece)
        if session.wants_update:
            picture = Picture(picture.width, picture.height, rng.randbytes(len(picture.rgb)))
            session.update(picture)
        drain(session)
    session.end("over")
    assert len(session.take(1 << 20)) < 1 << 16
    downs: dict[str, bool] = {}
    for event in log.events:
        if len(event) == 2:
            downs[event[0]] = event[1]
    assert not any(downs.values())
