"""A SCSI logical unit: commands as a table, sense data, unit attentions; whatever carries the commands.

    class Unit(ScsiUnit, ...):
        BLOCK = 2048
        COMMANDS = {**ScsiUnit.COMMANDS, 0x43: Unit.read_toc}

    reply = unit.perform(packet)        # None: CHECK CONDITION, and state.sense says why

Source: SPC-3 (T10/1416-D) and SBC-2 (T10/1417-D).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from hv.disk.image import MediumError

if TYPE_CHECKING:
    from hv.disk.disk import Disk

SECTOR = 512
NOT_READY, MEDIUM_ERROR, ILLEGAL_REQUEST, UNIT_ATTENTION, DATA_PROTECT = 2, 3, 5, 6, 7
"""Sense keys."""
Sense = tuple[int, int, int]
"""Key, code, qualifier."""
NO_SENSE: Sense = (0, 0, 0)
UNREADABLE, UNWRITABLE = (MEDIUM_ERROR, 0x11, 0x00), (MEDIUM_ERROR, 0x0C, 0x00)
INVALID_OPCODE, OUT_OF_RANGE = (ILLEGAL_REQUEST, 0x20, 0x00), (ILLEGAL_REQUEST, 0x21, 0x00)
INVALID_FIELD, NO_SAVING = (ILLEGAL_REQUEST, 0x24, 0x00), (ILLEGAL_REQUEST, 0x39, 0x00)
WRITE_PROTECTED, NO_MEDIUM = (DATA_PROTECT, 0x27, 0x00), (NOT_READY, 0x3A, 0x01)
TEST_UNIT_READY, REQUEST_SENSE, INQUIRY = 0x00, 0x03, 0x12
REMOVABLE = 0x80
"""Of the second byte of INQUIRY's answer."""


class Refused(Exception):
    """A command ends with CHECK CONDITION, for this reason."""

    def __init__(self, sense: Sense) -> None:
        super().__init__(sense)
        self.sense = sense


class Reply(NamedTuple):
    """What a command has to transfer before it has ended well: `data` to the host, or `blocks` blocks of the medium
    from block `first` on, to the host or from it (`writes`); or nothing."""

    data: bytes = b""
    first: int = 0
    blocks: int = 0
    writes: bool = False


@dataclass
class ScsiState:
    """`sense`: why the last command was refused. `attention`: what the next one is refused for."""

    sense: Sense = NO_SENSE
    attention: Sense = NO_SENSE


def sense_data(key: int, code: int, qualifier: int) -> bytes:
    """REQUEST SENSE, fixed format."""
    return bytes([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code, qualifier, 0, 0, 0, 0])


def inquiry_data(kind: int, flags: int, product: str, release: str, version: int = 0, form: int = 0x21) -> bytes:
    """INQUIRY: peripheral type, flags of the second byte, names of the product and of its release, the standard's
    version, and the form of the answer (its fourth byte)."""
    head = bytes([kind, flags, version, form, 31, 0, 0, 0])
    return head + b"XENLAB  " + product.encode().ljust(16) + release.encode().ljust(4)


def number(packet: bytes, at: int, size: int) -> int:
    """A field of a packet: SCSI is big-endian."""
    return int.from_bytes(packet[at : at + size], "big")


class ScsiUnit:
    """What all units do. To be mixed into a class whose `state` is a ScsiState and whose `disk` is the medium."""

    BLOCK: ClassVar[int]
    """Bytes of a block."""
    COMMANDS: Mapping[int, Callable[[Any, bytes], Reply]] = {}
    """By operation code."""
    BEFORE_ATTENTION = frozenset({REQUEST_SENSE, INQUIRY})
    """Commands that a unit attention does not hold up."""

    disk: Disk | None
    state: Any

    def perform(self, packet: bytes) -> Reply | None:
        """Do what a packet says, as far as its transfer. None: it is refused."""
        state, opcode = self.state, packet[0]
        try:
            if state.attention != NO_SENSE and opcode not in self.BEFORE_ATTENTION:
                attention, state.attention = state.attention, NO_SENSE
                raise Refused(attention)
            handler = self.COMMANDS.get(opcode)
            if handler is None:
                raise Refused(INVALID_OPCODE)
            if opcode != REQUEST_SENSE:
                state.sense = NO_SENSE
            return handler(self, packet)
        except Refused as refusal:
            state.sense = refusal.sense
            return None

    # ---- the medium ----

    def medium(self) -> Disk:
        """What is in the unit. Refused: nothing."""
        if self.disk is None:
            raise Refused(NO_MEDIUM)
        return self.disk

    def blocks(self) -> int:
        """Blocks of the medium; the last one may be there in part. Refused: there is no medium."""
        return -(-self.medium().sectors // (self.BLOCK // SECTOR))

    def read_medium(self, first: int, at: int, count: int) -> bytes:
        """`count` bytes from byte `at` of block `first` on; zeros behind the medium's end. MediumError."""
        if self.disk is None:
            raise MediumError("there is no medium")
        start = first * (self.BLOCK // SECTOR)
        begin, end = start + at // SECTOR, start + -(-(at + count) // SECTOR)
        data = self.disk.read(begin, max(min(end, self.disk.sectors) - begin, 0))
        return data[at % SECTOR : at % SECTOR + count].ljust(count, b"\0")

    def access(self, first: int, count: int, writes: bool = False) -> Reply:
        """Blocks to be transferred. Refused: they are not all there, or may not be written."""
        if first + count > self.blocks():
            raise Refused(OUT_OF_RANGE)
        if writes and self.medium().read_only:
            raise Refused(WRITE_PROTECTED)
        return Reply(first=first, blocks=count, writes=writes)

    def length(self, reply: Reply) -> int:
        """Bytes that a reply has to transfer."""
        return len(reply.data) or reply.blocks * self.BLOCK

    # ---- commands ----

    def test_unit_ready(self, packet: bytes) -> Reply:
        """TEST UNIT READY."""
        self.medium()
        return Reply()

    def request_sense(self, packet: bytes) -> Reply:
        """REQUEST SENSE: why the last packet was refused, once."""
        sense, self.state.sense = self.state.sense, NO_SENSE
        if sense == NO_SENSE:
            sense, self.state.attention = self.state.attention, NO_SENSE
        return Reply(sense_data(*sense)[: packet[4]])

    def read_capacity(self, packet: bytes) -> Reply:
        """READ CAPACITY(10): last block, or as many as can be said, and block size."""
        return Reply(struct.pack(">II", min(max(self.blocks() - 1, 0), 0xFFFFFFFF), self.BLOCK))

    def read_10(self, packet: bytes) -> Reply:
        """READ(10)."""
        return self.access(number(packet, 2, 4), number(packet, 7, 2))

    def read_12(self, packet: bytes) -> Reply:
        """READ(12)."""
        return self.access(number(packet, 2, 4), number(packet, 6, 4))

    def seek(self, packet: bytes) -> Reply:
        """SEEK(10)."""
        self.access(number(packet, 2, 4), 1)
        return Reply()


ScsiUnit.COMMANDS = {
    TEST_UNIT_READY: ScsiUnit.test_unit_ready,
    REQUEST_SENSE: ScsiUnit.request_sense,
    0x25: ScsiUnit.read_capacity,
    0x28: ScsiUnit.read_10,
    0x2B: ScsiUnit.seek,
    0xA8: ScsiUnit.read_12,
}
