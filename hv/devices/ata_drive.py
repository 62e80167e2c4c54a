"""What a hard disk and a CD-ROM drive have in common: the registers of a drive, and how data go in and out.

A command ends at once in the drive's registers only: what it does comes a moment later, at the drive's deadline, as
`step` says. So interrupts come when the driver has gone on, as on hardware, and a transfer can be saved at any place:
it is `at` of `length` bytes, and the step that is due.

    PIO in:   give -> the guest reads a block -> give ... until all is read
    PIO out:  ask -> the guest writes a block -> stored -> the guest writes ... until all is stored
    DMA:      move_slice, move_slice ... while the bus master runs; a slice each time

Source: ATA/ATAPI-6 (T13/1410D), chapters 7 and 9. Times are ours: a constant, and more for more data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from hv.disk.image import MediumError

if TYPE_CHECKING:
    from hv.devices.ata_channel import Channel
    from hv.disk.disk import Disk

BSY, DRDY, DF, DSC, DRQ, ERR = 0x80, 0x40, 0x20, 0x10, 0x08, 0x01
READY = DRDY | DSC
UNC, IDNF, ABRT = 0x40, 0x10, 0x04
SECTOR = 512

COMMAND_NS = 1000
"""From a command to its first effect."""
SECTOR_NS = 100
"""And so much for each 512 bytes, and for each slice of a DMA transfer that moved less."""
RESET_NS = 2000
SLICE = 512 * SECTOR
"""Bytes of a DMA transfer that are moved at once."""


@dataclass
class DriveState:
    """Registers that a guest writes have 16 bits: the byte written last, above it the one before (48-bit addressing).
    A deadline of 0: no step is due. `moving` is "in" or "out" while a block waits for the guest, `dma` the same while a
    transfer is the bus master's; `now` are the bytes of the block, `rest` bytes that do not make a sector yet."""

    status: int = READY
    error: int = 1
    features: int = 0
    count: int = 1
    low: int = 1
    mid: int = 0
    high: int = 0
    irq: bool = False
    present: bool = True
    step: str = ""
    deadline: int = 0
    at: int = 0
    length: int = 0
    block: int = 0
    now: int = 0
    moving: str = ""
    dma: str = ""
    rest: bytes = b""
    mode: int = 0x45
    """Transfer mode by SET FEATURES: UDMA 5."""


class Drive:
    """A drive on a channel. Subclasses say what commands do (`command()`), and where data come from and go to."""

    State: type[Any] = DriveState
    SIGNATURE: ClassVar[tuple[int, int]]
    """Middle and high byte of the address after a reset: what tells the kinds of drives apart."""
    RESET_STATUS: ClassVar[int]
    channel: Channel
    state: DriveState

    def __init__(self, disk: Disk | None) -> None:
        """`disk`: what is in the drive; None: nothing, which only a CD-ROM drive can have."""
        self.state = self.State()
        self.disk = disk
        self.number = 0
        self.put_signature()

    def attach(self, channel: Channel, number: int) -> None:
        """Connect it as device `number` of a channel."""
        self.channel, self.number = channel, number

    def reset(self) -> None:
        """Power on: the drive is there again if it was unplugged. What is on the disk stays."""
        self.state = self.State()
        self.put_signature()

    # ---- what subclasses say ----

    def command(self, opcode: int) -> None:
        """Execute a command. The status is READY, and the error register 0."""
        raise NotImplementedError

    def fetch(self, at: int, count: int) -> bytes:
        """Bytes of the transfer that goes in, from byte `at` of it. MediumError."""
        raise NotImplementedError

    def store(self, at: int, data: bytes) -> None:
        """Bytes of the transfer that goes out. MediumError."""
        raise NotImplementedError

    def failed(self, at: int, count: int, writing: bool) -> None:
        """fetch() or store() of these bytes has failed: end the command."""
        raise NotImplementedError

    def block_ready(self) -> None:
        """A block of `now` bytes waits for the guest: registers that tell so."""

    def all_read(self) -> None:
        """The guest has read the last block of a transfer."""
        raise NotImplementedError

    # ---- steps ----

    def later(self, step: str, ns: int = COMMAND_NS) -> None:
        """Do `step`, the name of a method, in `ns` nanoseconds; until then the drive is busy."""
        state = self.state
        state.status = BSY
        state.step = step
        state.deadline = self.channel.now_ns + ns
        self.channel.schedule()

    def due(self) -> None:
        """The deadline has come."""
        step = self.state.step
        self.state.step, self.state.deadline = "", 0
        getattr(self, step)()

    def interrupt(self) -> None:
        """Ask for the guest's attention."""
        self.state.irq = True
        self.channel.drive_line()

    def finish(self) -> None:
        """A command has ended well."""
        self.end_transfer()
        self.state.status = READY
        self.interrupt()

    def abort(self, error: int = ABRT, status: int = 0) -> None:
        """A command has ended with an error."""
        self.end_transfer()
        self.state.error = error
        self.state.status = READY | ERR | status
        self.interrupt()

    def end_transfer(self) -> None:
        """Nothing is under way any more, whatever was."""
        state = self.state
        waiting = state.deadline
        state.moving = state.dma = state.step = ""
        state.rest, state.deadline, state.now, state.length = b"", 0, 0, 0
        self.channel.release(self.number)
        if waiting:
            self.channel.schedule()

    # ---- reset ----

    def put_signature(self) -> None:
        """Registers as after a reset or a diagnosis without findings."""
        state = self.state
        state.error = state.count = state.low = 1
        state.mid, state.high = self.SIGNATURE
        state.status = self.RESET_STATUS

    def hold(self) -> None:
        """The reset bit is set: busy until it is cleared."""
        self.end_transfer()
        self.state.irq = False
        self.state.status = BSY

    def ready_again(self) -> None:
        """A reset is over."""
        self.end_transfer()
        self.put_signature()

    def diagnosed(self) -> None:
        """EXECUTE DEVICE DIAGNOSTIC is over, for both drives; device 0 says so."""
        self.ready_again()
        if self.number == 0:
            self.interrupt()

    # ---- PIO ----

    def pio_in(self, length: int, block: int) -> None:
        """Have the guest read `length` bytes in blocks of `block`."""
        self._begin(length, block)
        self.later("give", COMMAND_NS + SECTOR_NS * (min(block, length) // SECTOR))

    def pio_out(self, length: int, block: int) -> None:
        """Have the guest write them. It is not told of the first block by an interrupt."""
        self._begin(length, block)
        self.later("ask")

    def _begin(self, length: int, block: int) -> None:
        state = self.state
        state.at, state.length, state.block, state.rest = 0, length, block, b""

    def give(self) -> None:
        """The next block for the guest to read."""
        state = self.state
        state.now = min(state.block, state.length - state.at)
        try:
            data = self.fetch(state.at, state.now)
        except MediumError:
            self.failed(state.at, state.now, False)
            return
        self._wait("in")
        self.channel.give(self.number, data)
        self.interrupt()

    def block_read(self) -> None:
        """The guest has read the block to its end."""
        state = self.state
        state.at += state.now
        state.moving = ""
        if state.at < state.length:
            self.later("give", SECTOR_NS * (1 + state.block // SECTOR))
        else:
            self.all_read()

    def ask(self) -> None:
        """Have the guest write the next block."""
        state = self.state
        state.now = min(state.block, state.length - state.at)
        self._wait("out")
        self.channel.take(self.number, state.now)

    def block_written(self, data: bytes) -> None:
        """The guest has written the block, `now` bytes."""
        self.state.moving = ""
        self.state.rest = data
        self.later("stored", SECTOR_NS * (1 + len(data) // SECTOR))

    def stored(self) -> None:
        """The block goes onto the disk, and the next one is asked for."""
        state = self.state
        data, state.rest = state.rest, b""
        try:
            self.store(state.at, data)
        except MediumError:
            self.failed(state.at, len(data), True)
            return
        state.at += len(data)
        if state.at < state.length:
            self.ask()
            self.interrupt()
        else:
            self.all_stored()

    def all_stored(self) -> None:
        """The last block of a transfer is stored."""
        self.finish()

    def _wait(self, moving: str) -> None:
        self.state.moving = moving
        self.state.status = READY | DRQ
        self.block_ready()

    # ---- DMA ----

    def dma_in(self, length: int) -> None:
        """Have the bus master write `length` bytes to memory."""
        self._dma("in", length)

    def dma_out(self, length: int) -> None:
        """Have the bus master read them from memory."""
        self._dma("out", length)

    def _dma(self, direction: str, length: int) -> None:
        self._begin(length, 0)  # a block is what goes through the data port
        self.state.status = BSY
        self.state.dma = direction
        self.master_started()

    def master_started(self) -> None:
        """The bus master runs, or a transfer may be waiting for it: go on if both is so."""
        if self.state.dma and not self.state.step and self.channel.master.running:
            self.later("move_slice", COMMAND_NS + SECTOR_NS * self.slice() // SECTOR)

    def slice(self) -> int:
        """How many bytes are moved next, by DMA."""
        return min(SLICE, self.state.length - self.state.at)

    def move_slice(self) -> None:
        """Move as much as the bus master takes, of the next slice."""
        state = self.state
        before = state.at
        try:
            if state.dma == "in":
                state.at += self.channel.master.to_memory(self.fetch(state.at, self.slice()))
            else:
                self._store_slice(self.channel.master.from_memory(self.slice()))
        except MediumError:
            self.failed(before - len(state.rest), self.slice() + len(state.rest), state.dma == "out")
            return
        if state.at == state.length:
            self.finish()
        elif self.channel.master.running:
            self.later("move_slice", SECTOR_NS * (1 + (state.at - before) // SECTOR))

    def _store_slice(self, data: bytes) -> None:
        """Whole sectors go to the disk; what is left over waits for more."""
        state = self.state
        whole = state.rest + data
        use = len(whole) - len(whole) % SECTOR
        if use:
            self.store(state.at - len(state.rest), whole[:use])
        state.rest = whole[use:]
        state.at += len(data)

    # ---- commands that both kinds have ----

    def set_features(self) -> None:
        """SET FEATURES: transfer modes are remembered; ABRT for what there is not."""
        feature, value = self.state.features & 0xFF, self.state.count & 0xFF
        if feature == 0x03:
            known = value in TRANSFER_MODES
            if known and value >= FIRST_DMA_MODE:
                self.state.mode = value
        else:
            known = self.feature(feature)
        self.later("finish" if known else "abort")

    def feature(self, feature: int) -> bool:
        """A feature other than the transfer mode is set; whether there is such a feature."""
        return feature in (0x66, 0xCC)  # power-on defaults come back with a reset, or do not


FIRST_DMA_MODE = 0x20
TRANSFER_MODES = frozenset({0x00, 0x01, *range(0x08, 0x0D), *range(0x20, 0x23), *range(0x40, 0x46)})
"""SET FEATURES, transfer mode: PIO to 4, multiword DMA to 2, Ultra DMA to 5."""
