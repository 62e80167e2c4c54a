"""A page shared between a pretended guest and the code under test, and the guest's side of a byte ring."""

from dataclasses import dataclass, field

from hv.shared_ring import ByteRing, Window


@dataclass
class Page:
    """4096 bytes; an access outside of them fails the test."""

    data: bytearray = field(default_factory=lambda: bytearray(4096))
    events: int = 0

    def read(self, offset: int, length: int) -> bytes:
        """What the host reads."""
        assert offset >= 0 and length >= 0 and offset + length <= len(self.data), (offset, length)
        return bytes(self.data[offset:offset + length])

    def write(self, offset: int, data: bytes) -> None:
        """What the host writes."""
        assert offset >= 0 and offset + len(data) <= len(self.data), (offset, len(data))
        self.data[offset:offset + len(data)] = data

    def notify(self) -> None:
        """The host's event."""
        self.events += 1

    @property
    def window(self) -> Window:
        """The host's view."""
        return Window(self.read, self.write)

    def u32(self, offset: int) -> int:
        """A number in the page."""
        return int.from_bytes(self.data[offset:offset + 4], "little")

    def set_u32(self, offset: int, value: int) -> None:
        """Set a number in the page."""
        self.data[offset:offset + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")

    def guest_put(self, ring: ByteRing, data: bytes) -> int:
        """Produce into a ring as a guest would, byte by byte; how many bytes found room."""
        prod = self.u32(ring.prod)
        room = max(0, ring.size - ((prod - self.u32(ring.cons)) & 0xFFFFFFFF))
        for i, byte in enumerate(data[:room]):
            self.data[ring.buffer + (prod + i) % ring.size] = byte
        self.set_u32(ring.prod, prod + min(room, len(data)))
        return min(room, len(data))

    def guest_take(self, ring: ByteRing, limit: int = 1 << 12) -> bytes:
        """Consume from a ring as a guest would."""
        cons = self.u32(ring.cons)
        count = min((self.u32(ring.prod) - cons) & 0xFFFFFFFF, ring.size, limit)
        out = bytes(self.data[ring.buffer + (cons + i) % ring.size] for i in range(count))
        self.set_u32(ring.cons, cons + count)
        return out
