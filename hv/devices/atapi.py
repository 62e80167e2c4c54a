"""An ATAPI CD-ROM drive: ATA commands that carry SCSI packets, and what the packets do.

Source: ATA/ATAPI-6 (T13/1410D), 8.23 and 9.8; INF-8090i and MMC-5 (T10/1675-D) for the packets.
"""

from __future__ import annotations

from dataclasses import dataclass

from hv.devices import atapi_replies as replies
from hv.devices import scsi
from hv.devices.ata_drive import ABRT, READY, Drive, DriveState
from hv.devices.ata_identify import identify_cd
from hv.devices.scsi import INQUIRY, REQUEST_SENSE, Refused, Reply, ScsiState, ScsiUnit, Sense, number
from hv.disk.disk import Disk

PACKET_BYTES = 12
COMMAND_WORD, TO_HOST = 0x01, 0x02
"""Interrupt reason, in the count register."""
_DMA = 0x01
"""Of the features, when a packet is announced: its data go by DMA."""
_MAX_BLOCK = 0xFFFE
TRAY_OPEN = (scsi.NOT_READY, 0x3A, 0x02)
LOCKED = (scsi.ILLEGAL_REQUEST, 0x53, 0x02)
MEDIUM_CHANGED = (scsi.UNIT_ATTENTION, 0x28, 0)
NEW_MEDIA, MEDIA_REMOVAL = 2, 3
"""Events."""


@dataclass
class CdState(ScsiState, DriveState):
    """`in_packet`: the command is PACKET, not another one. `limit` and `by_dma`: how the guest wants data, from when it
    announced the packet. `reply`: data that are not from the medium; else they begin at block `block_number`."""

    packet: bytes = b""
    in_packet: bool = False
    limit: int = 0
    by_dma: bool = False
    reply: bytes = b""
    block_number: int = 0
    event: int = 0
    is_open: bool = False
    locked: bool = False


class CdRom(ScsiUnit, Drive):
    """A CD-ROM drive on an IDE channel, with an image of 2048-byte sectors in it or nothing."""

    State = CdState
    SIGNATURE = (0x14, 0xEB)
    RESET_STATUS = 0
    BLOCK = replies.SECTOR
    BEFORE_ATTENTION = frozenset({REQUEST_SENSE, INQUIRY, 0x46, 0x4A})
    """Those, GET CONFIGURATION and GET EVENT STATUS."""
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
        reply = self.perform(state.packet)
        if reply is None:
            self.check(state.sense)
            return
        state.reply, state.block_number = reply.data, reply.first
        self._transfer(self.length(reply))

    def check(self, sense: Sense) -> None:
        """A packet ends with CHECK CONDITION: REQUEST SENSE will tell why."""
        state = self.state
        state.sense = sense
        state.count = COMMAND_WORD | TO_HOST
        self.abort(sense[0] << 4 | ABRT)

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
        return state.reply[at : at + count] if state.reply else self.read_medium(state.block_number, at, count)

    def failed(self, at: int, count: int, writing: bool) -> None:
        """The medium cannot be read there."""
        self.check(scsi.UNREADABLE)

    def all_read(self) -> None:
        """The guest has read all; an interrupt tells that the packet has ended. Not so for IDENTIFY."""
        if self.state.in_packet:
            self.later("finish")
        else:
            self.end_transfer()
            self.state.status = READY

    # ---- the medium ----

    def medium(self) -> Disk:
        """The disc. Refused: there is none, or the tray is open."""
        if self.state.is_open:
            raise Refused(TRAY_OPEN)
        return super().medium()

    # ---- packets ----

    def inquiry(self, packet: bytes) -> Reply:
        """INQUIRY."""
        if packet[1] & 1 or packet[2]:
            raise Refused(scsi.INVALID_FIELD)
        return Reply(replies.inquiry()[: number(packet, 3, 2)])

    def start_stop(self, packet: bytes) -> Reply:
        """START STOP UNIT: the tray goes in and out."""
        state = self.state
        if packet[4] & 0xF0 or not packet[4] & 2:
            return Reply()
        opening = not packet[4] & 1
        if opening and state.locked:
            raise Refused(LOCKED)
        if opening != state.is_open:
            state.is_open = opening
            state.event = MEDIA_REMOVAL if opening else NEW_MEDIA
            if not opening and self.disk is not None:
                state.attention = MEDIUM_CHANGED
        return Reply()

    def prevent_removal(self, packet: bytes) -> Reply:
        """PREVENT ALLOW MEDIUM REMOVAL."""
        self.state.locked = bool(packet[4] & 1)
        return Reply()

    def read_toc(self, packet: bytes) -> Reply:
        """READ TOC/PMA/ATIP, formats 0 to 2. Old drivers say the format in the last bits of the control byte."""
        blocks, msf = self.blocks(), bool(packet[1] & 2)
        format = packet[2] & 0xF or packet[9] >> 6
        makers = (lambda: replies.toc(blocks, msf, packet[6]), lambda: replies.sessions(msf),
                  lambda: replies.full_toc(blocks))  # fmt: skip
        data = makers[format]() if format < len(makers) else None
        if data is None:
            raise Refused(scsi.INVALID_FIELD)
        return Reply(data[: number(packet, 7, 2)])

    def get_configuration(self, packet: bytes) -> Reply:
        """GET CONFIGURATION."""
        kind = packet[1] & 3
        if kind == 3:
            raise Refused(scsi.INVALID_FIELD)
        blocks = 0 if self.disk is None or self.state.is_open else self.blocks()
        return Reply(replies.configuration(blocks, kind, number(packet, 2, 2))[: number(packet, 7, 2)])

    def get_event_status(self, packet: bytes) -> Reply:
        """GET EVENT STATUS NOTIFICATION: when it is asked for, not by itself."""
        state = self.state
        if not packet[1] & 1:
            raise Refused(scsi.INVALID_FIELD)
        data = replies.event_status(packet[4], state.event, self.disk is not None and not state.is_open, state.is_open)
        if packet[4] & 1 << replies.MEDIA_EVENT_CLASS:
            state.event = 0
        return Reply(data[: number(packet, 7, 2)])

    def mechanism_status(self, packet: bytes) -> Reply:
        """MECHANISM STATUS."""
        return Reply(replies.mechanism_status(self.state.is_open)[: number(packet, 8, 2)])

    def read_disc_information(self, packet: bytes) -> Reply:
        """READ DISC INFORMATION."""
        self.medium()
        return Reply(replies.disc_information()[: number(packet, 7, 2)])

    def mode_sense(self, packet: bytes) -> Reply:
        """MODE SENSE(10): current, changeable (none) and default values are the same; none are saved."""
        if packet[2] >> 6 == 3:
            raise Refused(scsi.NO_SAVING)
        data = replies.mode_sense(packet[2] & 0x3F, self.state.locked)
        if data is None:
            raise Refused(scsi.INVALID_FIELD)
        return Reply(data[: number(packet, 7, 2)])

    def set_speed(self, packet: bytes) -> Reply:
        """SET CD SPEED: all are the same."""
        return Reply()


_POWER = frozenset({0xE0, 0xE1, 0xE2, 0xE3, 0xE5, 0xE6})

CdRom.COMMANDS = {
    **ScsiUnit.COMMANDS,
    INQUIRY: CdRom.inquiry,
    0x1B: CdRom.start_stop,
    0x1E: CdRom.prevent_removal,
    0x43: CdRom.read_toc,
    0x46: CdRom.get_configuration,
    0x4A: CdRom.get_event_status,
    0x51: CdRom.read_disc_information,
    0x5A: CdRom.mode_sense,
    0xBB: CdRom.set_speed,
    0xBD: CdRom.mechanism_status,
}
