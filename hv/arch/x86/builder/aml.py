"""ACPI machine language, as much of it as our tables need: one function a term, each gives its bytes.

    device("RTC", name("_HID", eisa_id("PNP0B00")), name("_CRS", resources(io(0x70, 8), irq(8))))

Terms are bytes and are put together by +, or as arguments. Integers, where a term is expected, are `number(n)`; locals
and arguments of methods are LOCAL0, ARG0. What the assembler refuses is a ValueError. `iasl -d` reads it back
(tests/arch/x86/builder/test_acpi.py).

Source: ACPI Specification 6.4, chapters 20 (AML) and 6.4 (resource data types).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

ZERO, ONE = b"\x00", b"\x01"
LOCAL0 = b"\x60"
ARG0 = b"\x68"
PCI_CONFIG = 2
"""Address spaces of an operation region."""
BYTE_ACCESS = 1

# ---- names and data ----


def path(text: str) -> bytes:
    """A name string: "PCI0", "_SB.PCI0", "\\\\_SB.LNKA"."""
    root, rest = (b"\\", text[1:]) if text.startswith("\\") else (b"", text)
    segments = rest.split(".") if rest else []
    for segment in segments:
        if not 1 <= len(segment) <= 4 or not segment.replace("_", "A").isalnum() or segment[0].isdigit():
            raise ValueError(f"aml: {segment} is no name of four letters, digits and underscores")
    packed = b"".join(segment.upper().ljust(4, "_").encode() for segment in segments)
    prefixes = {0: b"\0", 1: b"", 2: b"\x2e"}
    return root + prefixes.get(len(segments), b"\x2f" + bytes([len(segments)])) + packed


def number(value: int) -> bytes:
    """An integer in its shortest form."""
    if value in (0, 1):
        return bytes([value])
    for prefix, size in ((0x0A, 1), (0x0B, 2), (0x0C, 4), (0x0E, 8)):
        if 0 <= value < 1 << 8 * size:
            return bytes([prefix]) + value.to_bytes(size, "little")
    raise ValueError(f"aml: {value} is no integer of 64 bits")


def text(value: str) -> bytes:
    """A string."""
    return b"\x0d" + value.encode("ascii") + b"\0"


def eisa_id(value: str) -> bytes:
    """An identifier such as PNP0A03 as the integer that it is compressed to."""
    letters = [ord(letter) - 0x40 for letter in value[:3]]
    packed = letters[0] << 26 | letters[1] << 21 | letters[2] << 16 | int(value[3:], 16)
    return b"\x0c" + packed.to_bytes(4, "big")


def _sized(contents: bytes) -> bytes:
    """The contents behind their package length, which counts itself."""
    length = len(contents) + 1
    if length < 0x40:
        return bytes([length]) + contents
    for extra in (1, 2, 3):
        length = len(contents) + 1 + extra
        if length < 1 << 4 + 8 * extra:
            head = bytes([extra << 6 | length & 0xF]) + (length >> 4).to_bytes(extra, "little")
            return head + contents
    raise ValueError(f"aml: a package of {len(contents)} bytes")


def buffer(data: bytes) -> bytes:
    """A buffer."""
    return b"\x11" + _sized(number(len(data)) + data)


def package(elements: Iterable[bytes]) -> bytes:
    """A package of at most 255 elements."""
    parts = list(elements)
    return b"\x12" + _sized(bytes([len(parts)]) + b"".join(parts))


# ---- definitions ----


def name(called: str, value: bytes) -> bytes:
    """Name (called, value)."""
    return b"\x08" + path(called) + value


def scope(where: str, *terms: bytes) -> bytes:
    """Scope (where) {terms}."""
    return b"\x10" + _sized(path(where) + b"".join(terms))


def device(called: str, *terms: bytes) -> bytes:
    """Device (called) {terms}."""
    return b"\x5b\x82" + _sized(path(called) + b"".join(terms))


def processor(called: str, number_of: int) -> bytes:
    """Processor (called, number_of, 0, 0) {}: no throttling registers."""
    return b"\x5b\x83" + _sized(path(called) + struct.pack("<BIB", number_of, 0, 0))


def method(called: str, arguments: int, *terms: bytes, serialized: bool = False) -> bytes:
    """Method (called, arguments) {terms}."""
    return b"\x14" + _sized(path(called) + bytes([arguments | serialized << 3]) + b"".join(terms))


def region(called: str, space: int, offset: int, length: int) -> bytes:
    """OperationRegion (called, space, offset, length)."""
    return b"\x5b\x80" + path(called) + bytes([space]) + number(offset) + number(length)


def fields(of: str, access: int, *named: tuple[str, int]) -> bytes:
    """Field (of, access, NoLock, Preserve) {name, bits ...}."""
    units = b"".join(path(called) + _bits(bits) for called, bits in named)
    return b"\x5b\x81" + _sized(path(of) + bytes([access]) + units)


def _bits(count: int) -> bytes:
    if not 0 < count < 0x40:
        raise ValueError(f"aml: a field of {count} bits")
    return bytes([count])


def word_field(source: bytes, offset: int, called: str) -> bytes:
    """CreateWordField (source, offset, called)."""
    return b"\x8b" + source + number(offset) + path(called)


# ---- statements and expressions ----


def store(value: bytes, target: bytes) -> bytes:
    """Store (value, target)."""
    return b"\x70" + value + target


def and_(left: bytes, right: bytes, target: bytes = ZERO) -> bytes:
    """And (left, right, target)."""
    return b"\x7b" + left + right + target


def or_(left: bytes, right: bytes, target: bytes = ZERO) -> bytes:
    """Or (left, right, target)."""
    return b"\x7d" + left + right + target


def shift_left(value: bytes, count: bytes, target: bytes = ZERO) -> bytes:
    """ShiftLeft (value, count, target)."""
    return b"\x79" + value + count + target


def lowest_bit(value: bytes, target: bytes) -> bytes:
    """FindSetRightBit (value, target): 1 for bit 0."""
    return b"\x82" + value + target


def decrement(target: bytes) -> bytes:
    """Decrement (target)."""
    return b"\x76" + target


def if_(condition: bytes, *terms: bytes) -> bytes:
    """If (condition) {terms}."""
    return b"\xa0" + _sized(condition + b"".join(terms))


def else_(*terms: bytes) -> bytes:
    """Else {terms}, right behind an if_()."""
    return b"\xa1" + _sized(b"".join(terms))


def give(value: bytes) -> bytes:
    """Return (value)."""
    return b"\xa4" + value


# ---- resources ----


def resources(*descriptors: bytes) -> bytes:
    """ResourceTemplate () {descriptors}."""
    return buffer(b"".join(descriptors) + b"\x79\x00")


def io(base: int, length: int, align: int = 1) -> bytes:
    """IO (Decode16, base, base, align, length)."""
    return struct.pack("<BBHHBB", 0x47, 1, base, base, align, length)


def irq(*lines: int) -> bytes:
    """IRQNoFlags () {lines}: edges, active high, not shared."""
    return b"\x22" + _mask(lines)


def shared_irq(*lines: int) -> bytes:
    """IRQ (Level, ActiveLow, Shared) {lines}."""
    return b"\x23" + _mask(lines) + b"\x18"


def _mask(lines: tuple[int, ...]) -> bytes:
    return sum(1 << line for line in lines).to_bytes(2, "little")


def dma(channel: int) -> bytes:
    """DMA (Compatibility, NotBusMaster, Transfer8) {channel}."""
    return bytes([0x2A, 1 << channel, 0])


def memory(base: int, length: int) -> bytes:
    """Memory32Fixed (ReadWrite, base, length)."""
    return struct.pack("<BHBII", 0x86, 9, 1, base, length)


def bus_window(first: int, last: int) -> bytes:
    """WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode): buses of a host bridge."""
    return struct.pack("<BHBBBHHHHH", 0x88, 13, 2, 0x0C, 0, 0, first, last, 0, last - first + 1)


def io_window(first: int, last: int) -> bytes:
    """WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange): ports of a host bridge."""
    return struct.pack("<BHBBBHHHHH", 0x88, 13, 1, 0x0C, 3, 0, first, last, 0, last - first + 1)


def memory_window(first: int, last: int) -> bytes:
    """DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite): memory of a host
    bridge."""
    return struct.pack("<BHBBBIIIII", 0x87, 23, 0, 0x0C, 1, 0, first, last, 0, last - first + 1)
