"""One client's conversation in RFB 3.3, 3.7 or 3.8: bytes in, bytes out, and what it does to the guest.

No socket is here, and no clock: whoever has them calls feed() with what has come, sends what take() gives, and calls
update() when it may show the picture. Everything a client can send ends in one of: understood, skipped, or `closed`
with a reason. Source: RFC 6143 and the community's rfbproto.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from hv.devices.picture import Picture
from hv.devices.screen_changes import Rectangle, differences, whole
from hv.toolstack.vnc import auth
from hv.toolstack.vnc.encodings import DESKTOP_SIZE, Encoder, new_size
from hv.toolstack.vnc.inputs import Inputs, Mouse, Pointer
from hv.toolstack.vnc.keys import Event, Keyboard
from hv.toolstack.vnc.pixels import (
    FORMAT_BYTES,
    SERVER_FORMAT,
    FormatError,
    PixelFormat,
    color_map,
    is_mapped,
    read_format,
)

VERSION = b"RFB 003.008\n"
_NO_AUTH, _VNC_AUTH = 1, 2
_OK, _FAILED = b"\0\0\0\0", b"\0\0\0\1"
ENCODINGS_MOST = 1024
EVENTS_AT_ONCE = 8
"""Key and pointer messages that are taken in one feed(): what a keyboard's buffer has room for. The rest waits, and so
does the client."""
INPUT_MOST = 1 << 17
"""Bytes that wait at most, to be fed before more is read."""


class Session:
    """One client. key: of auth.password_key(); None: everybody may come in. look: gives the picture, for its size.
    `closed`: why the conversation is over, empty as long as it is not."""

    def __init__(self, key: bytes | None, inputs: Inputs, name: str, look: Callable[[], Picture]) -> None:
        self.closed = ""
        self.ready = False
        """Past the handshake."""
        self.refused = False
        """The password was wrong."""
        self._key, self._inputs, self._name = key, inputs, name
        self._in, self._out = bytearray(), bytearray(VERSION)
        self._skip = 0
        self._minor = 8
        self._challenge = b""
        self._needs = len(VERSION)
        self._next: Callable[[bytes], None] = self._version
        self._keyboard, self._mouse, self._encoder = Keyboard(), Mouse(), Encoder()
        self._pixels: PixelFormat = SERVER_FORMAT
        self._encodings: tuple[int, ...] = ()
        self._look = look  # not before the client is known: it takes time
        self._size = (0, 0)
        """What the client takes the picture's size for."""
        self._sent: Picture | None = None
        """What the client has, as far as we know; None: nothing."""
        self._asked: Rectangle | None = None
        self._asked_all = False

    # ---- bytes ----

    @property
    def room(self) -> int:
        """How many bytes may be fed now."""
        return 0 if self.closed else max(0, INPUT_MOST - len(self._in))

    @property
    def waiting(self) -> bool:
        """Whether there is something to take in without new bytes."""
        return not self.closed and len(self._in) >= self._needs

    @property
    def sending(self) -> bool:
        """Whether there is something for the client that it has not taken."""
        return bool(self._out)

    def feed(self, data: bytes) -> None:
        """The client has sent this."""
        self._in += data
        events = 0
        while not self.closed and events < EVENTS_AT_ONCE:
            if self._skip:
                gone = min(self._skip, len(self._in))
                del self._in[:gone]
                self._skip -= gone
            if self._skip or len(self._in) < self._needs:
                break
            piece = bytes(self._in[: self._needs])
            del self._in[: self._needs]
            events += self._next in (self._key_event, self._pointer_event)
            self._next(piece)
        self._tell(self._mouse.take(*self._size))

    def take(self, most: int) -> bytes:
        """What is to be sent next; what of it has gone, sent() must be told."""
        return bytes(self._out[:most])

    def sent(self, count: int) -> None:
        """So many bytes have gone."""
        del self._out[:count]

    def end(self, why: str) -> None:
        """The conversation is over: what the client held down goes up."""
        if not self.closed:
            self.closed = why
            self._press(self._keyboard.release())
            self._tell(self._mouse.release(*self._size))

    def _expect(self, count: int, then: Callable[[bytes], None]) -> None:
        self._needs, self._next = count, then

    # ---- handshake ----

    def _version(self, data: bytes) -> None:
        try:
            major, minor = int(data[4:7]), int(data[8:11])
        except ValueError:
            major, minor = 0, 0
        if data[:4] != b"RFB " or data[11:] != b"\n" or (major, minor) < (3, 3):
            self.end("no RFB client")
            return
        self._minor = 3 if (major, minor) < (3, 7) else 7 if (major, minor) < (3, 8) else 8
        kind = _NO_AUTH if self._key is None else _VNC_AUTH
        if self._minor == 3:
            self._out += struct.pack(">I", kind)
            self._begin_auth(kind)
        else:
            self._out += bytes((1, kind))
            self._expect(1, self._security)

    def _security(self, data: bytes) -> None:
        kind = _NO_AUTH if self._key is None else _VNC_AUTH
        if data[0] != kind:
            self.end("a security type that was not offered")
            return
        self._begin_auth(kind)

    def _begin_auth(self, kind: int) -> None:
        if kind == _VNC_AUTH:
            self._challenge = auth.new_challenge()
            self._out += self._challenge
            self._expect(auth.CHALLENGE_BYTES, self._answer)
            return
        if self._minor == 8:
            self._out += _OK
        self._expect(1, self._init)

    def _answer(self, data: bytes) -> None:
        assert self._key is not None
        if auth.is_right(self._key, self._challenge, data):
            self._out += _OK
            self._expect(1, self._init)
            return
        self._out += _FAILED
        if self._minor == 8:
            reason = b"the password is wrong"
            self._out += struct.pack(">I", len(reason)) + reason
        self.refused = True
        self.end("the password is wrong")

    def _init(self, data: bytes) -> None:
        picture = self._look()
        self._size = picture.width, picture.height
        name = self._name.encode("utf-8", "replace")[:256]
        self._out += struct.pack(">HH", *self._size) + SERVER_FORMAT.packed() + struct.pack(">I", len(name)) + name
        self.ready = True
        self._expect(1, self._message)

    # ---- messages ----

    def _message(self, data: bytes) -> None:
        known = {
            0: (3 + FORMAT_BYTES, self._set_format), 2: (3, self._set_encodings), 3: (9, self._request),
            4: (7, self._key_event), 5: (5, self._pointer_event), 6: (7, self._cut_text),
        }  # fmt: skip
        if data[0] not in known:
            self.end(f"message {data[0]}, which no client should send")
            return
        self._expect(*known[data[0]])

    def _set_format(self, data: bytes) -> None:
        try:
            self._pixels = read_format(data[3:])
        except FormatError as error:
            self.end(str(error))
            return
        if is_mapped(data[3:]):
            self._out += color_map()
        self._expect(1, self._message)

    def _set_encodings(self, data: bytes) -> None:
        count = int.from_bytes(data[1:], "big")
        if count > ENCODINGS_MOST:
            self.end(f"{count} encodings")
            return
        self._expect(4 * count, self._encodings_are)

    def _encodings_are(self, data: bytes) -> None:
        self._encodings = struct.unpack(f">{len(data) // 4}i", data)
        self._expect(1, self._message)

    def _request(self, data: bytes) -> None:
        incremental, x, y, width, height = struct.unpack(">BHHHH", data)
        area = Rectangle(x, y, width, height)
        self._asked = area if self._asked is None else _around(self._asked, area)
        self._asked_all = self._asked_all or not incremental
        self._expect(1, self._message)

    def _key_event(self, data: bytes) -> None:
        down, keysym = struct.unpack(">BxxI", data)
        self._tell(self._mouse.take(*self._size))
        self._press(self._keyboard.press(keysym, bool(down)))
        self._expect(1, self._message)

    def _pointer_event(self, data: bytes) -> None:
        mask, x, y = struct.unpack(">BHH", data)
        self._tell(self._mouse.moved(x, y, mask, *self._size))
        self._expect(1, self._message)

    def _cut_text(self, data: bytes) -> None:
        self._skip = int.from_bytes(data[3:], "big")  # a guest has no clipboard
        self._expect(1, self._message)

    def _press(self, events: list[Event]) -> None:
        for event in events:
            self._inputs.key(event.name, event.down)

    def _tell(self, events: list[Pointer]) -> None:
        for event in events:
            self._inputs.pointer(event)

    # ---- the picture ----

    @property
    def wants_update(self) -> bool:
        """Whether the client waits for news, and has taken all that there was."""
        return self._asked is not None and not self._out and not self.closed

    def update(self, picture: Picture) -> bool:
        """Show the picture as it is now, if there is anything new; whether there was."""
        if self._asked is None:
            return False
        size = picture.width, picture.height
        if size != self._size:
            if DESKTOP_SIZE in self._encodings:
                self._size, self._sent = size, None  # the client has to ask again, for all of it
                return self._send(new_size(*size))
            picture = _fitted(picture, *self._size)
        changed = [whole(picture)] if self._sent is None else differences(self._sent, picture)
        if self._asked_all and self._sent is not None:
            changed.append(_inside(self._asked, *self._size))  # once more
        changed = [area for area in changed if area.width and area.height]
        if not changed and not self._asked_all:
            return False
        self._sent = picture
        return self._send(self._encoder.update(picture, changed, self._pixels, self._encodings))

    def _send(self, message: bytes) -> bool:
        self._out += message
        self._asked, self._asked_all = None, False
        return True


def _around(one: Rectangle, other: Rectangle) -> Rectangle:
    x, y = min(one.x, other.x), min(one.y, other.y)
    right, bottom = max(one.x + one.width, other.x + other.width), max(one.y + one.height, other.y + other.height)
    return Rectangle(x, y, right - x, bottom - y)


def _inside(area: Rectangle, width: int, height: int) -> Rectangle:
    x, y = min(area.x, width), min(area.y, height)
    return Rectangle(x, y, min(area.width, width - x), min(area.height, height - y))


def _fitted(picture: Picture, width: int, height: int) -> Picture:
    """Cut off, or with black at the right and below: for a client that cannot change its size."""
    shown = min(width, picture.width)
    black = bytes(3 * (width - shown))
    rows = [picture.cut(0, y, shown, 1) + black for y in range(min(height, picture.height))]
    return Picture(width, height, b"".join(rows).ljust(3 * width * height, b"\0"))
