"""An ATAPI CD-ROM drive: ATA commands that carry SCSI packets, and what the packets do.

Source: ATA/ATAPI-6 (T13/1410D), 8.23 and 9.8; INF-8090i and MMC-5 (T10/1675-D) for the packets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hv.devices import atapi_replies as replies
from hv.devices.ata_drive import ABRT, READY, Drive, DriveState
from hv.devices.ata_identify import identify_cd
from hv.disk.disk import Disk
from hv.disk.image import MediumError

PACKET_BYTES = 12
COMMAND_WORD, TO_HOST = 0x01, 0x02
"""Interrupt reason, in the count register."""
_DMA = 0x01
"""Of the features, when a packet is announced: its data go by DMA."""
_MAX_BLOCK = 0xFFFE
_512S = replies.SECTOR // 512

NOT_READY, MEDIUM_ERROR, ILLEGAL_REQUEST, UNIT_ATTENTION = 2, 3, 5, 6
"""Sense keys."""
Sense = tuple[int, int, int]
"""Key, code, qualifier."""
NO_SENSE: Sense = (0, 0, 0)
NO_MEDIUM, TRAY_OPEN = (NOT_READY, 0x3A, 0x01), (NOT_READY, 0x3A, 0x02)
UNREADABLE = (MEDIUM_ERROR, 0x11, 0x00)
INVALID_OPCODE, OUT_OF_RANGE, INVALID_FIELD = (ILLEGAL_REQUEST, 0x20, 0), (ILLEGAL_REQUEST, 0x21, 0), (5, 0x24, 0)
NO_SAVING, LOCKED = (ILLEGAL_REQUEST, 0x39, 0), (ILLEGAL_REQUEST, 0x53, 0x02)
MEDIUM_CHANGED = (UNIT_ATTENTION, 0x28, 0)
NEW_MEDIA, MEDIA_REMOVAL = 2, 3
"""Events."""


class Refused(Exception):
    """A packet ends with CHECK CONDITION, for this reason."""

    def __init__(self, sense: Sense) -> None:
        super().__init__(sense)
        self.sense = sense


@dataclass
class CdState(DriveState):
    """`in_packet`: the command is PACKET, not another one. `limit` and `by_dma`: how the guest wants data, from when it
    announced the packet. `reply`: data that are not from the medium; else they begin at block
    `block_number`. `attention`: what the next packet is refused for."""

    packet: bytes = b""
    in_packet: bool = False
    limit: int = 0
    by_dma: bool = False
    reply: bytes = b""
    block_number: int = 0
    sense: Sense = NO_SENSE
    attention: Sense = NO_SENSE
    event: int = 0
    is_open: bool = False
    locked: bool = False


class CdRom(Drive):
    """A CD-ROM drive on an IDE channel, with an image of 2048-byte sectors in it or nothing."""

    State = CdState
    SIGNATURE = (0x14, 0xEB)
    RESET_STATUS = 0
    state: CdState

    def __init__(self, disk: Disk | None = None, serial: str = "XL00003") -> None:
        """`serial`: at most 20 characters, ASCII."""
        super().__init__(disk)
        self.serial = serial

    # ---- ATA commands ----

    def command(self, opcode: int) -> None:
        """Execute an ATA command. Those of disks are aborted, and show by the signature what is here."""
        self.state.reply, self.state.in_packet = b"", opcode == 0xA0
        if opcode == 0xA0:
            self._announce_packet()
        elif opcode == 0xA1:
            self.state.reply = identify_cd(serial=self.serial, mode=self.state.mode)
            self.pio_in(512, 512)
        elif opcode == 0xEF:
            self.set_features()
        elif opcode in _POWER:
            self.state.count = 0xFF
            self.later("finish")
        else:
            self.later("refuse")

    def refuse(self) -> None:
        """There is no such ATA command."""
        self.put_signature()
        self.abort()

    def _announce_packet(self) -> None:
        state = self.state
        state.by_dma = bool(state.features & _DMA)
        state.limit = (state.mid & 0xFF | (state.high & 0xFF) << 8) or _MAX_BLOCK
        self.pio_out(PACKET_BYTES, PACKET_BYTES)

    # ---- the way of a packet ----

    def block_ready(self) -> None:
        """The guest may write the packet, or read a block."""
        state = self.state
        if state.moving == "out":
            state.count = COMMAND_WORD
        elif state.in_packet:
            state.count, state.mid, state.high = TO_HOST, state.now & 0xFF, state.now >> 8

    def store(self, at: int, data: bytes) -> None:
        """The packet has come: nothing else goes out."""
        self.state.packet = data

    def all_stored(self) -> None:
        """The packet is executed a moment later."""
        self.end_transfer()
        self.later("execute")

    def finish(self) -> None:
        """A command has ended well."""
        if self.state.in_packet:
            self.state.count = COMMAND_WORD | TO_HOST
        super().finish()

    def execute(self) -> None:
        """Do what the packet says."""
        state = self.state
        opcode = state.packet[0]
        try:
            if state.attention != NO_SENSE and opcode not in _BEFORE_ATTENTION:
                sense, state.attention = state.attention, NO_SENSE
                raise Refused(sense)
            handler = PACKETS.get(opcode)
            if handler is None:
                raise Refused(INVALID_OPCODE)
            if opcode != 0x03:
                state.sense = NO_SENSE
            handler(self, state.packet)
        except Refused as refusal:
            self.check(refusal.sense)

    def check(self, sense: Sense) -> None:
        """A packet ends with CHECK CONDITION: REQUEST SENSE will tell why."""
        state = self.state
        state.sense = sense
        state.count = COMMAND_WORD | TO_HOST
        self.abort(sense[0] << 4 | ABRT)

    def _answer(self, data: bytes, room: int) -> None:
        """Data that are not from the medium; the guest has room for so many bytes."""
        self.state.reply = data[:room]
        self._transfer(len(self.state.reply))

    def _transfer(self, length: int) -> None:
        state = self.state
        if length == 0:
            self.finish()
        elif state.by_dma:
            self.dma_in(length)
        else:
            # An odd limit is for a transfer that fits into one block.
            self.pio_in(length, state.limit if state.limit >= length else max(state.limit & ~1, 2))

    def fetch(self, at: int, count: int) -> bytes:
        """Bytes of the answer, or of the medium."""
        state = self.state
        if state.reply:
            return state.reply[at : at + count]
        disk, start = self.disk, state.block_number * _512S
        if disk is None:
            raise MediumError("there is no medium")
        first, end = start + at // 512, start + -(-(at + count) // 512)
        data = disk.read(first, max(min(end, disk.sectors) - first, 0))
        return data[at % 512 : at % 512 + count].ljust(count, b"\0")

    def failed(self, at: int, count: int, writing: bool) -> None:
        """The medium cannot be read there."""
        self.check(UNREADABLE)

    def all_read(self) -> None:
        """The guest has read all; an interrupt tells that the packet has ended. Not so for IDENTIFY."""
        if self.state.in_packet:
            self.later("finish")
        else:
            self.end_transfer()
            self.state.status = READY

    # ---- the medium ----

    def _medium(self) -> Disk:
        if self.disk is None:
            raise Refused(TRAY_OPEN if self.state.is_open else NO_MEDIUM)
        if self.state.is_open:
            raise Refused(TRAY_OPEN)
        return self.disk

    def _blocks(self) -> int:
        """Blocks of the medium; the last one may be there in part."""
        return -(-self._medium().sectors // _512S)

    # ---- packets ----

    def test_unit_ready(self, packet: bytes) -> None:
        """TEST UNIT READY."""
        self._medium()
        self.finish()

    def request_sense(self, packet: bytes) -> None:
        """REQUEST SENSE: why the last packet was refused, once."""
        sense, self.state.sense = self.state.sense, NO_SENSE
        if sense == NO_SENSE:
            sense, self.state.attention = self.state.attention, NO_SENSE
        self._answer(replies.sense(*sense), packet[4])

    def inquiry(self, packet: bytes) -> None:
        """INQUIRY."""
        if packet[1] & 1 or packet[2]:
            raise Refused(INVALID_FIELD)
        self._answer(replies.inquiry(), _number(packet, 3, 2))

    def start_stop(self, packet: bytes) -> None:
        """START STOP UNIT: the tray goes in and out."""
        state = self.state
        if packet[4] & 0xF0 or not packet[4] & 2:
            self.finish()
            return
        opening = not packet[4] & 1
        if opening and state.locked:
            raise Refused(LOCKED)
        if opening != state.is_open:
            state.is_open = opening
            state.event = MEDIA_REMOVAL if opening else NEW_MEDIA
            if not opening and self.disk is not None:
                state.attention = MEDIUM_CHANGED
        self.finish()

    def prevent_removal(self, packet: bytes) -> None:
        """PREVENT ALLOW MEDIUM REMOVAL."""
        self.state.locked = bool(packet[4] & 1)
        self.finish()

    def read_capacity(self, packet: bytes) -> None:
        """READ CAPACITY."""
        self._answer(replies.capacity(self._blocks()), 8)

    def read_10(self, packet: bytes) -> None:
        """READ(10)."""
        self._read(_number(packet, 2, 4), _number(packet, 7, 2))

    def read_12(self, packet: bytes) -> None:
        """READ(12)."""
        self._read(_number(packet, 2, 4), _number(packet, 6, 4))

    def _read(self, first: int, count: int) -> None:
        if first + count > self._blocks():
            raise Refused(OUT_OF_RANGE)
        self.state.block_number = first
        self._transfer(count * replies.SECTOR)

    def seek(self, packet: bytes) -> None:
        """SEEK(10)."""
        if _number(packet, 2, 4) >= self._blocks():
            raise Refused(OUT_OF_RANGE)
        self.finish()

    def read_toc(self, packet: bytes) -> None:
        """READ TOC/PMA/ATIP, formats 0 to 2. Old drivers say the format in the last bits of the control byte."""
        blocks, msf = self._blocks(), bool(packet[1] & 2)
        format = packet[2] & 0xF or packet[9] >> 6
        makers = (lambda: replies.toc(blocks, msf, packet[6]), lambda: replies.sessions(msf),
                  lambda: replies.full_toc(blocks))  # fmt: skip
        data = makers[format]() if format < len(makers) else None
        if data is None:
            raise Refused(INVALID_FIELD)
        self._answer(data, _number(packet, 7, 2))

    def get_configuration(self, packet: bytes) -> None:
        """GET CONFIGURATION."""
        kind = packet[1] & 3
        if kind == 3:
            raise Refused(INVALID_FIELD)
        blocks = 0 if self.disk is None or self.state.is_open else self._blocks()
        self._answer(replies.configuration(blocks, kind, _number(packet, 2, 2)), _number(packet, 7, 2))

    def get_event_status(self, packet: bytes) -> None:
        """GET EVENT STATUS NOTIFICATION: when it is asked for, not by itself."""
        state = self.state
        if not packet[1] & 1:
            raise Refused(INVALID_FIELD)
        data = replies.event_status(packet[4], state.event, self.disk is not None and not state.is_open, state.is_open)
        if packet[4] & 1 << replies.MEDIA_EVENT_CLASS:
            state.event = 0
        self._answer(data, _number(packet, 7, 2))

    def mechanism_status(self, packet: bytes) -> None:
        """MECHANISM STATUS."""
        self._answer(replies.mechanism_status(self.state.is_open), _number(packet, 8, 2))

    def read_disc_information(self, packet: bytes) -> None:
        """READ DISC INFORMATION."""
        self._medium()
        self._answer(replies.disc_information(), _number(packet, 7, 2))

    def mode_sense(self, packet: bytes) -> None:
        """MODE SENSE(10): current, changeable (none) and default values are the same; none are saved."""
        if packet[2] >> 6 == 3:
            raise Refused(NO_SAVING)
        data = replies.mode_sense(packet[2] & 0x3F, self.state.locked)
        if data is None:
            raise Refused(INVALID_FIELD)
        self._answer(data, _number(packet, 7, 2))

    def set_speed(self, packet: bytes) -> None:
        """SET CD SPEED: all are the same."""
        self.finish()


def _number(packet: bytes, at: int, size: int) -> int:
    return int.from_bytes(packet[at : at + size], "big")


_POWER = frozenset({0xE0, 0xE1, 0xE2, 0xE3, 0xE5, 0xE6})
_BEFORE_ATTENTION = frozenset({0x03, 0x12, 0x46, 0x4A})
"""Packets that a unit attention does not hold up: REQUEST SENSE, INQUIRY, GET CONFIGURATION, GET EVENT STATUS."""

PACKETS: dict[int, Callable[[CdRom, bytes], None]] = {
    0x00: CdRom.test_unit_ready,
    0x03: CdRom.request_sense,
    0x12: CdRom.inquiry,
    0x1B: CdRom.start_stop,
    0x1E: CdRom.prevent_removal,
    0x25: CdRom.read_capacity,
    0x28: CdRom.read_10,
    0x2B: CdRom.seek,
    0x43: CdRom.read_toc,
    0x46: CdRom.get_configuration,
    0x4A: CdRom.get_event_status,
    0x51: CdRom.read_disc_information,
    0x5A: CdRom.mode_sense,
    0xA8: CdRom.read_12,
    0xBB: CdRom.set_speed,
    0xBD: CdRom.mechanism_status,
}
"""By operation code."""
