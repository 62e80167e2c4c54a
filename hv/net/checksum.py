"""The Internet checksum (RFC 1071)."""

from __future__ import annotations


def total(data: bytes) -> int:
    """The ones' complement sum of the 16-bit words of `data`, an odd last byte filled up with a zero: 0 to 0xffff."""
    value = int.from_bytes(data, "big") << 8 * (len(data) & 1)
    # 2^16 is 1 modulo 0xffff, so the whole number has the remainder that its words' sum has. A sum of words is zero
    # only if all of them are.
    return value % 0xFFFF or (0xFFFF if value else 0)


def checksum(data: bytes) -> int:
    """What a header's checksum field must hold, `data` having zeros there; over data with the field filled in: 0."""
    return 0xFFFF - total(data)


def pseudo_header(source: bytes, target: bytes, protocol: int, length: int) -> bytes:
    """What TCP and UDP put before their segment of `length` bytes when they sum it up, between two IPv4 or two IPv6
    addresses."""
    if len(source) == 4:
        return source + target + bytes((0, protocol)) + length.to_bytes(2, "big")
    return source + target + length.to_bytes(4, "big") + bytes((0, 0, 0, protocol))
