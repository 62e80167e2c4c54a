"""The schedule of a UHCI controller: what one frame of 1 ms does of the lists in the guest's memory.

    frame list: 1024 links, one a frame -> transfer descriptors (TD) and queue heads (QH), which link on

A TD is one packet for one endpoint. Those behind a QH's element link are a queue: the first of them is tried in each
frame until it is done, and the link then moves to the next one.

The lists are the guest's, and may be anything, a circle too (drivers close one on purpose, so that bulk transfers use
what is left of a frame). As on a bus, a frame ends when its time is over: each packet takes its bytes, and no packet
begins that would not fit. What no packet is sent for is bounded by MOST_VISITS; a queue that is met again with nothing
done since ends the frame. Where there is no memory, and where a TD makes no sense, the controller stops (Stopped).

Source: Intel, Universal Host Controller Interface Design Guide 1.1, chapter 3.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from hv.devices.usb import IN, OUT, SETUP, Answer, Handshake

if TYPE_CHECKING:
    from hv.devices.uhci import Uhci

FRAMES = 1024
"""Links of the frame list."""
TERMINATE, QUEUE, DEPTH_FIRST = 1, 2, 4
"""Bits of a link."""
ADDRESS = 0xFFFFFFF0
ACTIVE, STALLED, BABBLE, NAKED, TIMEOUT = 1 << 23, 1 << 22, 1 << 20, 1 << 19, 1 << 18
INTERRUPT, ISOCHRONOUS, LOW_SPEED, SHORT_DETECT = 1 << 24, 1 << 25, 1 << 26, 1 << 29
ERRORS_SHIFT, ERRORS = 27, 3 << 27
"""How many more errors a TD may have; 0: any number."""
LENGTH = 0x7FF
"""A number of bytes less one; 0x7ff: none."""
LONGEST = 1280
FRAME_BYTES, OVERHEAD = 1470, 13
"""What there is time for in a frame, without its start and end; what a packet takes beside its data: token,
handshake, gaps."""
LOW_SPEED_FACTOR = 8
MOST_VISITS = 512
MOST_LOOKED_AT = 256
"""Links that nothing_waits() follows."""
SYSTEM_ERROR, PROCESS_ERROR = 0x08, 0x10
"""Of the controller's status register."""
ON_COMPLETE, ON_SHORT = 1, 2
"""Why a TD interrupts (Uhci.state.causes); FAILED: it has ended with an error."""
FAILED = 4


class Stopped(Exception):
    """The controller cannot go on: SYSTEM_ERROR or PROCESS_ERROR."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Transfer(NamedTuple):
    """A transfer descriptor, where it is and what it says."""

    at: int
    link: int
    control: int
    token: int
    buffer: int

    @property
    def kind(self) -> int:
        """SETUP, IN or OUT; other numbers are none."""
        return self.token & 0xFF

    @property
    def device(self) -> int:
        """An address on the bus."""
        return self.token >> 8 & 0x7F

    @property
    def endpoint(self) -> int:
        """Its number."""
        return self.token >> 15 & 0xF

    @property
    def length(self) -> int:
        """Bytes that are to be sent, or that there is room for."""
        return (self.token >> 21) + 1 & LENGTH


def read(uhci: Uhci, address: int, length: int) -> bytes:
    """Memory of the guest. Stopped: there is none."""
    data = uhci.dma_read(address, length)
    if data == b"\xff" * length and not uhci.machine.has_ram(address, length):
        raise Stopped(SYSTEM_ERROR)
    return data


def read_transfer(uhci: Uhci, address: int) -> Transfer:
    """The TD at an address. Stopped: there is no memory."""
    return Transfer(address, *struct.unpack("<IIII", read(uhci, address, 16)))


def read_queue(uhci: Uhci, address: int) -> tuple[int, int]:
    """The QH at an address: the link to what follows, and to its first element. Stopped: there is no memory."""
    head, element = struct.unpack("<II", read(uhci, address, 8))
    return head, element


class Frame:
    """One frame. `causes`: why TDs that were done interrupt; `moved`: something was done but NAKs."""

    def __init__(self, uhci: Uhci) -> None:
        self._uhci = uhci
        self._time = FRAME_BYTES
        self._visits = MOST_VISITS
        self._over = False
        self._seen: set[int] = set()
        self.causes = 0
        self.moved = False

    def run(self, number: int) -> None:
        """Do what frame `number` links to. Stopped."""
        uhci = self._uhci
        (link,) = struct.unpack("<I", read(uhci, uhci.state.base + 4 * (number % FRAMES), 4))
        while not link & TERMINATE and self._visit():
            address = link & ADDRESS
            if link & QUEUE:
                if address in self._seen:
                    return
                self._seen.add(address)
                link = self._queue(address)
            else:
                transfer = read_transfer(uhci, address)
                if transfer.control & ACTIVE:
                    self._execute(transfer, queued=False)
                link = transfer.link

    def _visit(self) -> bool:
        self._visits -= 1
        return self._visits >= 0 and not self._over

    def _queue(self, address: int) -> int:
        """Go on with a queue; what follows it. One whose element is a queue goes on there."""
        head, element = read_queue(self._uhci, address)
        while not element & TERMINATE and self._visit():
            if element & QUEUE:
                return element
            transfer = read_transfer(self._uhci, element & ADDRESS)
            if not transfer.control & ACTIVE or not self._execute(transfer, queued=True):
                return head
            element = transfer.link
            self._uhci.dma_write(address + 4, struct.pack("<I", element))
            if not element & DEPTH_FIRST:
                return head
        return head

    # ---- one packet ----

    def _execute(self, transfer: Transfer, queued: bool) -> bool:
        """Send the packet. True: it is done, and the queue may go on."""
        if transfer.kind not in (SETUP, IN, OUT) or transfer.length > LONGEST:
            raise Stopped(PROCESS_ERROR)
        factor = LOW_SPEED_FACTOR if transfer.control & LOW_SPEED else 1
        if (transfer.length + OVERHEAD) * factor > self._time:
            self._over = True
            return False
        answer = self._token(transfer)
        took = transfer.length if transfer.kind != IN else len(answer) if isinstance(answer, bytes) else 0
        self._time -= (took + OVERHEAD) * factor
        if isinstance(answer, bytes):
            return self._answered(transfer, answer, queued)
        return self._unanswered(transfer, answer)

    def _token(self, transfer: Transfer) -> Answer:
        uhci = self._uhci
        data = b"" if transfer.kind == IN or not transfer.length else read(uhci, transfer.buffer, transfer.length)
        device = uhci.addressed(transfer.device)
        return Handshake.NONE if device is None else device.token(transfer.kind, transfer.endpoint, data)

    def _answered(self, transfer: Transfer, answer: bytes, queued: bool) -> bool:
        """Data or an acknowledgement has come."""
        uhci = self._uhci
        self.moved = True
        self._seen.clear()
        length = transfer.length
        if transfer.kind == IN:
            length = len(answer)
            if length > transfer.length:
                return self._close(transfer, STALLED | BABBLE)
            if length and not uhci.machine.has_ram(transfer.buffer, length):
                raise Stopped(SYSTEM_ERROR)
            uhci.dma_write(transfer.buffer, answer)
        short = length < transfer.length and bool(transfer.control & SHORT_DETECT) and queued
        if short:
            self.causes |= ON_SHORT
        self._close(transfer, 0, length)
        return not short

    def _unanswered(self, transfer: Transfer, answer: Handshake) -> bool:
        """It is tried again later, or has failed."""
        control = transfer.control
        if answer is Handshake.NAK:
            if not control & NAKED:
                self._write(transfer, control | NAKED)
            return control & ISOCHRONOUS != 0 and self._close(transfer, NAKED)
        self.moved = True
        if answer is Handshake.STALL:
            return self._close(transfer, STALLED)
        errors = (control & ERRORS) >> ERRORS_SHIFT
        if errors == 1 or control & ISOCHRONOUS:
            return self._close(transfer, TIMEOUT if control & ISOCHRONOUS else STALLED | TIMEOUT)
        self._write(transfer, control & ~ERRORS | max(errors - 1, 0) << ERRORS_SHIFT | TIMEOUT)
        return False

    def _close(self, transfer: Transfer, problem: int, length: int = 0) -> bool:
        """The TD is done with; whether the queue goes on."""
        control = transfer.control & ~(ACTIVE | LENGTH | NAKED | STALLED | BABBLE | TIMEOUT)
        if problem & STALLED:
            self.causes |= FAILED
            control &= ~ERRORS
        if control & INTERRUPT:
            self.causes |= ON_COMPLETE
        self._write(transfer, control | problem | length - 1 & LENGTH)
        return not problem & STALLED

    def _write(self, transfer: Transfer, control: int) -> None:
        self._uhci.dma_write(transfer.at + 4, struct.pack("<I", control))


def nothing_waits(uhci: Uhci) -> bool:
    """Whether no frame would do anything, as long as memory stays as it is and nothing comes from outside: every TD
    that is tried would be answered by NAK. False also if that cannot be told by a short look."""
    try:
        return _nothing_waits(uhci)
    except Stopped:
        return False


def _nothing_waits(uhci: Uhci) -> bool:
    links = set(struct.unpack(f"<{FRAMES}I", read(uhci, uhci.state.base, 4 * FRAMES)))
    todo, seen = sorted(links), set(links)
    for looked_at, link in enumerate(todo):
        if looked_at >= MOST_LOOKED_AT:
            return False
        if link & TERMINATE:
            continue
        follow: tuple[int, ...]
        if link & QUEUE:
            head, element = read_queue(uhci, link & ADDRESS)
            follow = (head, element) if element & QUEUE else (head,)
            if not element & (TERMINATE | QUEUE) and not _waits(uhci, read_transfer(uhci, element & ADDRESS)):
                return False
        else:
            transfer = read_transfer(uhci, link & ADDRESS)
            if not _waits(uhci, transfer):
                return False
            follow = (transfer.link,)
        new = [one for one in follow if one not in seen]
        seen.update(new)
        todo += new
    return True


def _waits(uhci: Uhci, transfer: Transfer) -> bool:
    """Whether trying a TD changes nothing."""
    if not transfer.control & ACTIVE:
        return True
    device = uhci.addressed(transfer.device)
    if device is None or transfer.control & ISOCHRONOUS or not transfer.control & NAKED:
        return False
    return device.waits(transfer.kind, transfer.endpoint)
