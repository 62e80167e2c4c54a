"""An ATA hard disk: its commands.

Source: ATA/ATAPI-6 (T13/1410D), chapter 8; commands with cylinders and heads as ATA/ATAPI-4 has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hv.devices.ata_drive import ABRT, COMMAND_NS, DF, IDNF, READY, SECTOR, SECTOR_NS, UNC, Drive, DriveState
from hv.devices.ata_identify import MAX_MULTIPLE, identify_disk
from hv.disk.disk import Disk
from hv.disk.image import MediumError

_LBA = 0x40
"""Of the device register: the address is a block number."""
_LBA48_COUNT, _LBA28_COUNT = 65536, 256
"""Sectors that a count of 0 stands for."""


@dataclass
class DiskState(DriveState):
    """`lba` is where the transfer begins, `addressing` how the guest gave that: "chs", "28" or "48". `reply`: data that
    are not from the disk. `multiple`: sectors of a block of READ MULTIPLE, 0: not set."""

    lba: int = 0
    addressing: str = "28"
    reply: bytes = b""
    multiple: int = MAX_MULTIPLE
    heads: int = 16
    track: int = 63
    write_cache: bool = True
    look_ahead: bool = True


@dataclass(frozen=True)
class Command:
    """A command: its method, and how that is to be understood. `extended`: 48-bit address and 16-bit count;
    `multiple`: blocks of several sectors."""

    run: Callable[[HardDisk, Command], None]
    extended: bool = False
    multiple: bool = False


class HardDisk(Drive):
    """A hard disk on an IDE channel."""

    State = DiskState
    SIGNATURE = (0, 0)
    RESET_STATUS = READY
    state: DiskState
    disk: Disk

    def __init__(self, disk: Disk, serial: str = "XL00001") -> None:
        """`serial`: at most 20 characters, ASCII."""
        super().__init__(disk)
        self.serial = serial

    def command(self, opcode: int) -> None:
        """Execute a command; ABRT for those that there are not."""
        self.state.reply = b""
        command = COMMANDS.get(opcode)
        if command is None:
            self.later("abort")
        else:
            command.run(self, command)

    # ---- addresses ----

    def _range(self, command: Command) -> tuple[int, int] | None:
        """First sector and number of sectors as the registers say; None, with IDNF reported, if the disk has them
        not."""
        state, device = self.state, self.channel.state.device
        low, mid, high = state.low, state.mid, state.high
        near = low & 0xFF | (mid & 0xFF) << 8 | (high & 0xFF) << 16
        if command.extended:
            state.addressing = "48"
            first = near | (low >> 8) << 24 | (mid >> 8) << 32 | (high >> 8) << 40
            count = state.count or _LBA48_COUNT
        else:
            count = state.count & 0xFF or _LBA28_COUNT
            if device & _LBA:
                state.addressing = "28"
                first = near | (device & 0xF) << 24
            else:
                state.addressing = "chs"
                first = self._sector_of(near >> 8, device & 0xF, near & 0xFF)
        if first < 0 or first + count > self.disk.sectors:
            self.later("not_found")
            return None
        state.lba = first
        return first, count

    def _sector_of(self, cylinder: int, head: int, sector: int) -> int:
        """The block number of an address that has cylinder and head; -1 if there is none."""
        if head >= self.state.heads or not 1 <= sector <= self.state.track:
            return -1
        return (cylinder * self.state.heads + head) * self.state.track + sector - 1

    def not_found(self) -> None:
        """The address is not on the disk."""
        self.abort(IDNF)

    def _put_address(self, lba: int) -> None:
        """Registers name a sector, in the way in which the guest gave the address."""
        state, channel = self.state, self.channel.state
        if state.addressing == "chs":
            rest, sector = divmod(lba, state.track)
            cylinder, head = divmod(rest, state.heads)
            lba, top = sector + 1 | cylinder << 8, head
        else:
            top = lba >> 24 & 0xF
        if state.addressing != "48":
            channel.device = channel.device & 0xF0 | top
            lba &= 0xFFFFFF
        low, mid, high = (lba >> shift & 0xFF | (lba >> shift + 24 & 0xFF) << 8 for shift in (0, 8, 16))
        state.low, state.mid, state.high = low, mid, high

    # ---- where data come from and go to ----

    def fetch(self, at: int, count: int) -> bytes:
        """Bytes of the transfer that goes in."""
        if self.state.reply:
            return self.state.reply[at : at + count]
        first, end = at // SECTOR, -(-(at + count) // SECTOR)
        data = self.disk.read(self.state.lba + first, end - first)
        return data[at % SECTOR : at % SECTOR + count]

    def store(self, at: int, data: bytes) -> None:
        """Bytes of the transfer that goes out: whole sectors."""
        self.disk.write(self.state.lba + at // SECTOR, data)

    def failed(self, at: int, count: int, writing: bool) -> None:
        """Report the first sector that fails."""
        first, end = self.state.lba + at // SECTOR, self.state.lba + -(-(at + count) // SECTOR)
        left = self.state.length // SECTOR - at // SECTOR
        if not writing:
            bad = next((sector for sector in range(first, end) if not self._readable(sector)), first)
            left -= bad - first
            first = bad
        self._put_address(first)
        self.state.count = left & (0xFFFF if self.state.addressing == "48" else 0xFF)
        self.abort(ABRT if writing else UNC, DF if writing else 0)

    def _readable(self, sector: int) -> bool:
        try:
            self.disk.read(sector, 1)
        except MediumError:
            return False
        return True

    def finish(self) -> None:
        """A command has ended well."""
        self._transferred()
        super().finish()

    def all_read(self) -> None:
        """The guest has read all: no interrupt tells so."""
        self._transferred()
        self.end_transfer()
        self.state.status = READY

    def _transferred(self) -> None:
        state = self.state
        if state.length and not state.reply:
            self._put_address(state.lba + state.length // SECTOR - 1)
            state.count = 0

    # ---- commands with data ----

    def identify(self, command: Command) -> None:
        """IDENTIFY DEVICE."""
        state = self.state
        state.reply = identify_disk(
            serial=self.serial, sectors=self.disk.sectors, heads=state.heads, track=state.track,
            multiple=state.multiple, mode=state.mode, write_cache=state.write_cache, look_ahead=state.look_ahead,
        )  # fmt: skip
        self.pio_in(SECTOR, SECTOR)

    def read_sectors(self, command: Command) -> None:
        """READ SECTORS, READ MULTIPLE."""
        self._pio(command, self.pio_in)

    def write_sectors(self, command: Command) -> None:
        """WRITE SECTORS, WRITE MULTIPLE."""
        self._pio(command, self.pio_out)

    def _pio(self, command: Command, begin: Callable[[int, int], None]) -> None:
        block = self.state.multiple if command.multiple else 1
        if block == 0:
            self.later("abort")
        elif found := self._range(command):
            begin(found[1] * SECTOR, block * SECTOR)

    def read_dma(self, command: Command) -> None:
        """READ DMA."""
        if found := self._range(command):
            self.dma_in(found[1] * SECTOR)

    def write_dma(self, command: Command) -> None:
        """WRITE DMA."""
        if found := self._range(command):
            self.dma_out(found[1] * SECTOR)

    def read_verify(self, command: Command) -> None:
        """READ VERIFY SECTORS: read, but not to the guest."""
        if found := self._range(command):
            self.state.at, self.state.length = 0, found[1] * SECTOR
            self.later("verify_slice", COMMAND_NS + SECTOR_NS * (self.slice() // SECTOR))

    def verify_slice(self) -> None:
        """Read some of the sectors to verify."""
        state, count = self.state, self.slice()
        try:
            self.fetch(state.at, count)
        except MediumError:
            self.failed(state.at, count, False)
            return
        state.at += count
        if state.at < state.length:
            self.later("verify_slice", SECTOR_NS * (count // SECTOR))
        else:
            self.finish()

    # ---- commands without data ----

    def no_data(self, command: Command) -> None:
        """A command that always succeeds: nothing of what it does can be seen."""
        self.later("finish")

    def flush(self, command: Command) -> None:
        """FLUSH CACHE."""
        self.disk.flush()
        self.later("finish")

    def seek(self, command: Command) -> None:
        """SEEK: to a sector that there must be."""
        self.state.count = 1
        if self._range(command):
            self.later("finish")

    def power_mode(self, command: Command) -> None:
        """CHECK POWER MODE: active."""
        self.state.count = 0xFF
        self.later("finish")

    def set_multiple(self, command: Command) -> None:
        """SET MULTIPLE MODE: a power of 2 up to MAX_MULTIPLE, or 0 for none."""
        count = self.state.count & 0xFF
        good = count <= MAX_MULTIPLE and count & count - 1 == 0
        if good:
            self.state.multiple = count
        self.later("finish" if good else "abort")

    def initialize_parameters(self, command: Command) -> None:
        """INITIALIZE DEVICE PARAMETERS: heads and sectors a track."""
        track = self.state.count & 0xFF
        if track:
            self.state.heads, self.state.track = (self.channel.state.device & 0xF) + 1, track
        self.later("finish" if track else "abort")

    def native_max(self, command: Command) -> None:
        """READ NATIVE MAX ADDRESS: the last sector."""
        self.state.addressing = "48" if command.extended else "28"
        last = self.disk.sectors - 1
        self._put_address(last if command.extended else min(last, (1 << 28) - 1))
        self.later("finish")

    def features_command(self, command: Command) -> None:
        """SET FEATURES."""
        self.set_features()

    def feature(self, feature: int) -> bool:
        """Write cache, look-ahead; power and noise management are taken and change nothing."""
        if feature in (0x02, 0x82):
            self.state.write_cache = feature == 0x02
        elif feature in (0x55, 0xAA):
            self.state.look_ahead = feature == 0xAA
        elif feature not in (0x05, 0x85, 0x42, 0xC2):
            return super().feature(feature)
        return True


def _table(rows: Iterable[tuple[tuple[int, ...], Command]]) -> dict[int, Command]:
    return {opcode: command for opcodes, command in rows for opcode in opcodes}


COMMANDS = _table([
    (tuple(range(0x10, 0x20)), Command(HardDisk.no_data)),  # RECALIBRATE
    ((0x20, 0x21), Command(HardDisk.read_sectors)),  # READ SECTORS
    ((0x24,), Command(HardDisk.read_sectors, extended=True)),  # READ SECTORS EXT
    ((0x25,), Command(HardDisk.read_dma, extended=True)),  # READ DMA EXT
    ((0x27,), Command(HardDisk.native_max, extended=True)),  # READ NATIVE MAX ADDRESS EXT
    ((0x29,), Command(HardDisk.read_sectors, extended=True, multiple=True)),  # READ MULTIPLE EXT
    ((0x30, 0x31), Command(HardDisk.write_sectors)),  # WRITE SECTORS
    ((0x34,), Command(HardDisk.write_sectors, extended=True)),  # WRITE SECTORS EXT
    ((0x35,), Command(HardDisk.write_dma, extended=True)),  # WRITE DMA EXT
    ((0x39,), Command(HardDisk.write_sectors, extended=True, multiple=True)),  # WRITE MULTIPLE EXT
    ((0x40, 0x41), Command(HardDisk.read_verify)),  # READ VERIFY SECTORS
    ((0x42,), Command(HardDisk.read_verify, extended=True)),  # READ VERIFY SECTORS EXT
    ((0x70,), Command(HardDisk.seek)),  # SEEK
    ((0x91,), Command(HardDisk.initialize_parameters)),  # INITIALIZE DEVICE PARAMETERS
    ((0xC4,), Command(HardDisk.read_sectors, multiple=True)),  # READ MULTIPLE
    ((0xC5,), Command(HardDisk.write_sectors, multiple=True)),  # WRITE MULTIPLE
    ((0xC6,), Command(HardDisk.set_multiple)),  # SET MULTIPLE MODE
    ((0xC8, 0xC9), Command(HardDisk.read_dma)),  # READ DMA
    ((0xCA, 0xCB), Command(HardDisk.write_dma)),  # WRITE DMA
    ((0xE0, 0x94), Command(HardDisk.no_data)),  # STANDBY IMMEDIATE
    ((0xE1, 0x95), Command(HardDisk.no_data)),  # IDLE IMMEDIATE
    ((0xE2, 0x96), Command(HardDisk.no_data)),  # STANDBY
    ((0xE3, 0x97), Command(HardDisk.no_data)),  # IDLE
    ((0xE5, 0x98), Command(HardDisk.power_mode)),  # CHECK POWER MODE
    ((0xE6, 0x99), Command(HardDisk.no_data)),  # SLEEP
    ((0xE7,), Command(HardDisk.flush)),  # FLUSH CACHE
    ((0xEA,), Command(HardDisk.flush)),  # FLUSH CACHE EXT
    ((0xEC,), Command(HardDisk.identify)),  # IDENTIFY DEVICE
    ((0xEF,), Command(HardDisk.features_command)),  # SET FEATURES
    ((0xF8,), Command(HardDisk.native_max)),  # READ NATIVE MAX ADDRESS
])
"""By opcode. What is left out is aborted, NOP and SMART among it."""
