"""What the fields of devices' states may be in a file: what a guest could have brought about, as far as a device relies
on it (indices, lengths, counts, times, names of steps). Fields that are not named here are numbers up to 2^32 - 1, or
as many bytes or elements as they have after power-on (hv.debug.shapes.like).
"""

from __future__ import annotations

from typing import Any

from hv.debug.fields import U64, FieldError
from hv.debug.shapes import U8, U16, U32, Known, Shape, empty_or, exactly, integer, many, octets, one_of, row
from hv.devices import vga_vbe
from hv.devices.ata_channel import ChannelState
from hv.devices.ata_disk import DiskState
from hv.devices.ata_drive import DriveState
from hv.devices.atapi import CdState
from hv.devices.bus_master import BusMasterState
from hv.devices.e1000_registers import E1000State
from hv.devices.eeprom import WORDS, Eeprom
from hv.devices.hpet import Comparator, HpetState
from hv.devices.i8042 import I8042State
from hv.devices.keys import table as keys
from hv.devices.pci import CONFIG_SIZE, PciState
from hv.devices.pci_bus import PciBusState
from hv.devices.piix4_pm import PmState
from hv.devices.pit_channel import Counter
from hv.devices.pointer import BUTTONS, PLACES
from hv.devices.ps2 import BUFFER, MOST_REPLIES, Ps2State
from hv.devices.ps2_keyboard import MOST_PENDING as MOST_STROKES
from hv.devices.ps2_keyboard import KeyboardState, Ps2Keyboard
from hv.devices.ps2_mouse import FIVE_BUTTONS, PLAIN, WHEEL, MouseState, Ps2Mouse
from hv.devices.ps2_mouse import MOST_PENDING as MOST_MOVES
from hv.devices.rtc import SIZE as RTC_BYTES
from hv.devices.rtc import TIME_REGISTERS, RtcState
from hv.devices.rtl8139_registers import Rtl8139State
from hv.devices.scsi import ScsiState
from hv.devices.uart import BACKLOG, DEPTH, UartState
from hv.devices.uhci import COMMAND_BITS, FRAME_NUMBERS, UhciState
from hv.devices.uhci import PORTS as USB_PORTS
from hv.devices.usb import MOST_RECEIVED, UsbState
from hv.devices.usb_hid import HidState
from hv.devices.usb_keyboard import MOST_PENDING as MOST_KEYS
from hv.devices.usb_keyboard import UsbKeyboardState
from hv.devices.usb_storage import PHASE_ERROR, PIECE, StorageState
from hv.devices.usb_tablet import MOST_PENDING as MOST_PLACES
from hv.devices.usb_tablet import NOTCHES, TabletState
from hv.devices.vga import MEMORY_BYTES, VgaState
from hv.devices.vga_vbe import COUNT as VBE_REGISTERS
from hv.devices.xen_platform import ROM_LOCK, XenPlatformState
from hv.inputs import FAR_FUTURE
from hv.native import lib

SENSE = row(integer(0xF), integer(U8), integer(U8))
BLOCK = int(lib.IO_BLOCK_BYTES)
STEPS = ("", "give", "ask", "stored", "move_slice", "finish", "abort", "ready_again", "diagnosed")
LONGEST_TRANSFER = 1 << 48
ALL_BUTTONS = sum(BUTTONS.values())


def _vbe(data: Any, what: str) -> tuple[int, ...]:
    """The VBE registers: a mode that is set is one that fits."""
    registers: tuple[int, ...] = many(integer(U16), VBE_REGISTERS, VBE_REGISTERS)(data, what)
    if not vga_vbe.fits(registers, MEMORY_BYTES):
        raise FieldError(f"{what} are no mode")
    return registers


def _one_key(data: Any, what: str) -> tuple[int, int]:
    key: tuple[int, int] = row(_below(len(keys())), integer(1))(data, what)
    return key


def _usb_key(data: Any, what: str) -> tuple[int, int]:
    key = _one_key(data, what)
    if not keys()[key[0]].usage:
        raise FieldError(f"{what} is on no USB keyboard")
    return key


def _below(count: int) -> Shape:
    return integer(count - 1)


STEP_TIMES: Known = {
    HpetState: {
        "configuration": 3, "status": 0xFF, "counter": U64, "since_ns": FAR_FUTURE, "checked": U64 << 1,
        "lines": U32,
    },
    Comparator: {"configuration": U64, "value": U64, "period": U64},
    Counter: {
        "mode": _below(6), "access": integer(3, 1), "initial": 0x10000, "reload": 0x10000, "start": FAR_FUTURE,
        "switch": integer(FAR_FUTURE, -1), "stopped": integer(FAR_FUTURE, -1), "low": integer(U8, -1),
        "latched": octets(2), "status": integer(U8, -1),
    },
    RtcState: {
        "memory": exactly(RTC_BYTES), "index": RTC_BYTES - 1, "origin_ns": integer(FAR_FUTURE, -FAR_FUTURE),
        "second": integer(1 << 40), "weekday_shift": 6, "held": octets(len(TIME_REGISTERS)), "flags": U8,
        "seen_ns": FAR_FUTURE,
    },
    PmState: {"timer_seen": FAR_FUTURE},
}  # fmt: skip
DRIVES: Known = {
    ChannelState: {"device": U8, "control": U8, "owner": integer(1, -1)},
    DriveState: {
        "status": U8, "error": U8, "features": U16, "count": U16, "low": U16, "mid": U16, "high": U16,
        "deadline": FAR_FUTURE, "at": LONGEST_TRANSFER, "length": LONGEST_TRANSFER, "block": BLOCK, "now": BLOCK,
        "moving": one_of("", "in", "out"), "dma": one_of("", "in", "out"), "rest": octets(BLOCK), "mode": U8,
    },
    DiskState: {
        "step": one_of(*STEPS, "verify_slice", "not_found"), "lba": (1 << 48) - 1,
        "addressing": one_of("chs", "28", "48"), "multiple": U8, "heads": integer(16, 1), "track": integer(U8, 1),
    },
    CdState: {
        "step": one_of(*STEPS, "refuse", "execute"), "packet": octets(12), "limit": U16, "event": 0xF,
    },
    ScsiState: {"sense": SENSE, "attention": SENSE},
    BusMasterState: {"command": U8, "status": U8, "address": U32 + 0x10000, "left": 0x10000},
}  # fmt: skip
PORTS: Known = {
    UartState: {
        "enable": U8, "fifo_control": U8, "line_control": U8, "modem_control": U8, "scratch": U8, "divisor": U16,
        "fifo": octets(DEPTH), "backlog": octets(BACKLOG), "modem": U8, "deltas": 0xF, "touched_ns": FAR_FUTURE,
    },
    Ps2State: {"replies": octets(MOST_REPLIES), "output": octets(BUFFER), "last": octets(1), "free_ns": FAR_FUTURE},
    KeyboardState: {
        "argument_of": one_of(0, *Ps2Keyboard.ARGUMENTS), "pending": many(_one_key, MOST_STROKES),
        "code_set": integer(3, 1), "leds": 7, "rate": U8, "breaks": (1 << 256) - 1, "held": (1 << 256) - 1,
        "substituted": (1 << 256) - 1,
    },
    MouseState: {
        "argument_of": one_of(0, *Ps2Mouse.ARGUMENTS), "buttons": ALL_BUTTONS,
        "pending": many(row(*[integer(U16, -U16)] * 3, integer(ALL_BUTTONS)), MOST_MOVES),
        "kind": one_of(PLAIN, WHEEL, FIVE_BUTTONS), "rate": U8, "rates": many(integer(U8), 3), "resolution": 3,
    },
    I8042State: {
        "data": U8, "replies": many(row(integer(U8), integer(U8)), 64), "argument_of": U8, "source": U8,
    },
}  # fmt: skip
PCI: Known = {
    PciState: {"config": exactly(CONFIG_SIZE)},
    PciBusState: {"asserted": (1 << 256) - 1, "driven": U32, "absent": (1 << 256) - 1},
    XenPlatformState: {"flags": ROM_LOCK, "product": U16, "build": U32},
    VgaState: {
        "dac_part": octets(2), "dac_reads": 2, "dac_read_index": U8, "dac_write_index": U8, "misc": U8, "feature": U8,
        "sequencer_index": U8, "graphics_index": U8, "crtc_index": U8, "attribute_index": U8, "pel_mask": U8,
        "dac_mode": U8, "vbe_index": U16, "vbe": _vbe,
    },
    E1000State: {
        "context": exactly(16), "quiet_until": FAR_FUTURE, "resume_at": FAR_FUTURE,
        "packet_options": integer(U32, -1), "phy": many(integer(U16), 32, 32),
    },
    Rtl8139State: {
        "mar": U64, "next": 3, "tick_zero": FAR_FUTURE, "capr": U16, "cbr": U16,
    },
    Eeprom: {
        "words": many(integer(U16), WORDS, WORDS), "bits": 32, "value": (1 << 25) - 1, "left": integer(16, -1),
        "shift": U16, "out": 1,
    },
}  # fmt: skip
PLACE = integer(PLACES - 1)
USB: Known = {
    UhciState: {
        "usb_command": COMMAND_BITS, "status": U8, "enabled": 0xF, "number": FRAME_NUMBERS, "start_ns": FAR_FUTURE,
        "start_of_frame": U8, "ports": many(integer(U16), USB_PORTS, USB_PORTS), "causes": 3,
    },
    UsbState: {
        "address": 127, "next_address": integer(127, -1), "configuration": 1, "setup": empty_or(8),
        "reply": octets(MOST_RECEIVED), "received": octets(MOST_RECEIVED),
    },
    HidState: {"idle": U8, "told_ns": FAR_FUTURE, "protocol": 1},
    UsbKeyboardState: {
        "pending": many(_usb_key, MOST_KEYS), "held": many(integer(U8), 256), "leds": 0x1F,
    },
    TabletState: {
        "pending": many(row(PLACE, PLACE, integer(ALL_BUTTONS), integer(NOTCHES, -NOTCHES)), MOST_PLACES), "x": PLACE,
        "y": PLACE, "to_x": PLACE, "to_y": PLACE, "buttons": ALL_BUTTONS, "held": ALL_BUTTONS,
        "notches": integer(NOTCHES, -NOTCHES),
    },
    StorageState: {
        "stage": one_of("command", "in", "out", "status"), "first": U64, "buffer": octets(PIECE), "result": PHASE_ERROR,
    },
}  # fmt: skip
LIMITS: Known = {**STEP_TIMES, **DRIVES, **PORTS, **PCI, **USB}
