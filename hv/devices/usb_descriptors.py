"""What a USB device says of itself: descriptors as bytes.

Source: Universal Serial Bus Specification 2.0, section 9.6.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT = 1, 2, 3, 4, 5
USB_1_1 = 0x0110
BULK, INTERRUPT = 2, 3
TO_HOST = 0x80
"""Of an endpoint's address: IN; of a request: its data."""
REMOTE_WAKEUP, ALWAYS_SET = 0x20, 0x80
"""Attributes of a configuration."""
ENGLISH_US = 0x0409
MANUFACTURER, PRODUCT, SERIAL = 1, 2, 3
"""Numbers of strings."""


class UsbIdentity(NamedTuple):
    """Vendor and product with their names, and a serial number; `packet`: bytes of a packet of endpoint 0."""

    vendor: int
    product: int
    name: str
    serial: str
    packet: int = 8
    maker: str = "xenlab"


class Endpoint(NamedTuple):
    """An endpoint other than 0: its address, BULK or INTERRUPT, bytes of a packet, ms between two looks at it."""

    address: int
    kind: int
    packet: int
    interval: int = 0

    def descriptor(self) -> bytes:
        """7 bytes."""
        return struct.pack("<BBBBHB", 7, ENDPOINT, self.address, self.kind, self.packet, self.interval)


class Interface(NamedTuple):
    """The one interface of a device: class, subclass, protocol; `extra` are descriptors of the class."""

    kind: tuple[int, int, int]
    endpoints: tuple[Endpoint, ...]
    extra: bytes = b""

    def descriptors(self) -> bytes:
        """The interface with all that belongs to it."""
        head = struct.pack("<BBBBBBBBB", 9, INTERFACE, 0, 0, len(self.endpoints), *self.kind, 0)
        return head + self.extra + b"".join(endpoint.descriptor() for endpoint in self.endpoints)


def device(identity: UsbIdentity) -> bytes:
    """The device descriptor: classes are told by the interface."""
    return struct.pack(
        "<BBHBBBBHHHBBBB", 18, DEVICE, USB_1_1, 0, 0, 0, identity.packet, identity.vendor, identity.product, 0x0100,
        MANUFACTURER, PRODUCT, SERIAL, 1,
    )  # fmt: skip


def configuration(interface: Interface, attributes: int, milliamperes: int) -> bytes:
    """The only configuration, number 1, with its interface."""
    body = interface.descriptors()
    return struct.pack("<BBHBBBBB", 9, CONFIGURATION, 9 + len(body), 1, 1, 0, attributes, milliamperes // 2) + body


def string(number: int, texts: Sequence[str]) -> bytes | None:
    """String `number`; 0: the languages; None: there is no such string."""
    if number > len(texts):
        return None
    body = struct.pack("<H", ENGLISH_US) if number == 0 else texts[number - 1].encode("utf-16-le")
    return bytes([2 + len(body), STRING]) + body


def strings(identity: UsbIdentity) -> tuple[str, str, str]:
    """The strings of a device, by the numbers above."""
    return identity.maker, identity.name, identity.serial
