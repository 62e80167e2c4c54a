"""A byte ring in a page that a guest shares: two free-running 32-bit indices and a buffer whose size is a power of two.

The guest may write anything into the page at any time. So every index is read once, checked, and used from the copy;
an impossible pair (more than the buffer's size between them) is a `RingError`, never an access outside of the buffer.
"""

from collections.abc import Callable
from typing import NamedTuple

#: Access to the shared page: bytes at an offset in it.
Read = Callable[[int, int], bytes]
Write = Callable[[int, bytes], None]


class RingError(Exception):
    """The guest left impossible indices in a ring."""


class Window(NamedTuple):
    """The shared page, through two functions; nothing is kept between calls."""

    read: Read
    write: Write

    def u32(self, offset: int) -> int:
        """The 32-bit number at `offset`, read once."""
        return int.from_bytes(self.read(offset, 4), "little")

    def set_u32(self, offset: int, value: int) -> None:
        """Write a 32-bit number, modulo 2**32."""
        self.write(offset, (value & 0xFFFFFFFF).to_bytes(4, "little"))


class ByteRing(NamedTuple):
    """Where one ring lies in its page: offsets of the buffer and of its two indices."""

    name: str
    buffer: int
    size: int
    cons: int
    prod: int

    def fill(self, page: Window) -> tuple[int, int]:
        """(consumer index, bytes waiting). RingError."""
        cons, prod = page.u32(self.cons), page.u32(self.prod)
        waiting = (prod - cons) & 0xFFFFFFFF
        if waiting > self.size:
            raise RingError(f"{self.name}: producer {prod:#x} and consumer {cons:#x} are {waiting} bytes apart; "
                            f"the ring holds {self.size}")
        return cons, waiting

    def take(self, page: Window, limit: int | None = None) -> bytes:
        """Consume what waits, at most `limit` bytes, and move the consumer index. RingError."""
        cons, waiting = self.fill(page)
        count = waiting if limit is None else min(waiting, limit)
        at = cons % self.size
        first = min(count, self.size - at)
        data = page.read(self.buffer + at, first) if first else b""
        if count > first:
            data += page.read(self.buffer, count - first)
        if count:
            page.set_u32(self.cons, cons + count)
        return data

    def put(self, page: Window, data: bytes) -> int:
        """Produce as many of `data` as there is room for and move the producer index; how many. RingError."""
        cons, waiting = self.fill(page)
        data = data[:self.size - waiting]
        at = (cons + waiting) % self.size
        first = data[:self.size - at]
        if first:
            page.write(self.buffer + at, first)
        if len(data) > len(first):
            page.write(self.buffer, data[len(first):])
        if data:
            page.set_u32(self.prod, cons + waiting + len(data))
        return len(data)
