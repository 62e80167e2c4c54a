"""The standard VGA of QEMU: PCI 1234:1111, a VGA with the Bochs VBE extensions.

    ports 0x3b0-0x3df            sequencer, CRTC, graphics and attribute controller, DAC
    ports 0x1ce-0x1d1            VBE registers: index, data, data
    0xa0000-0xbffff              the legacy window (native/xen/vga.c)
    BAR 0                        video memory, the machine's RAM
    BAR 2                        the same registers in memory: 0x400 ports 0x3c0-0x3df, 0x500 VBE, 0x600 QEMU's own
    ROM                          the video BIOS, if the machine was given one

What the registers show is hv.devices.screen's business. Sources: IBM PS/2 Hardware Interface Technical Reference, Video
Subsystem; QEMU's docs/specs/standard-vga.rst.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from hv.devices import vga_registers as regs
from hv.devices import vga_vbe as vbe
from hv.devices.bus import Bus, Region
from hv.devices.pci import BAR_MEMORY, BAR_PREFETCHABLE, QEMU_SUBSYSTEM, Bar, Identity, PciDevice, PciState
from hv.devices.registers import Register, register_region
from hv.devices.values import byte_replaced
from hv.devices.vga_window import Beam, VgaMachine
from hv.native import lib

LEGACY, LEGACY_SIZE, VBE_PORTS = 0x3B0, 0x30, 0x1CE
MEMORY_BYTES = 16 << 20
REGISTER_BYTES = 0x1000
_PORTS_IN_MEMORY, _VBE_IN_MEMORY, _QEMU_IN_MEMORY = 0x400, 0x500, 0x600
_LITTLE_ENDIAN = 0x1E1E1E1E
_MONITOR_PRESENT = 0x10
_FEATURE_BITS = 0x10
_DAC_READING, _DAC_WRITING = 3, 0


@dataclass
class VgaState(PciState):
    """Registers by the group that they belong to; DAC colours have 3 bytes, of 6 bits or 8 as the guest has chosen."""

    misc: int = 0
    feature: int = 0
    sequencer_index: int = 0
    sequencer: bytes = bytes(len(regs.SEQUENCER_MASKS))
    graphics_index: int = 0
    graphics: bytes = bytes(len(regs.GRAPHICS_MASKS))
    crtc_index: int = 0
    crtc: bytes = bytes(len(regs.CRTC_MASKS))
    attribute_index: int = 0
    attribute: bytes = bytes(len(regs.ATTRIBUTE_MASKS))
    pel_mask: int = 0xFF
    dac_mode: int = _DAC_WRITING
    dac_read_index: int = 0
    dac_write_index: int = 0
    dac_part: bytes = b""
    """What has been written of a colour that is not complete."""
    dac_reads: int = 0
    """How much has been read of the colour at dac_read_index."""
    palette: bytes = bytes(256 * 3)
    vbe_index: int = 0
    vbe: tuple[int, ...] = vbe.FIRST


class Vga(PciDevice):
    """A standard VGA. rom: the video BIOS, 64 KiB at most; without it there is no ROM. ValueError: it is too large."""

    IDENTITY = Identity(0x1234, 0x1111, 0x030000, 2, *QEMU_SUBSYSTEM)
    State = VgaState
    state: VgaState
    machine: VgaMachine

    def __init__(self, machine: VgaMachine, name: str = "vga", slot: int = 2, rom: bytes = b"") -> None:
        if len(rom) > 1 << 16:
            raise ValueError(f"a video BIOS of {len(rom):,} bytes; remedy: give one of 65,536 at most")
        self.window, self.memory = machine.vga_window(), machine.video_memory()
        super().__init__(machine, name, slot)
        legacy = register_region(self, f"{name} ports", LEGACY_SIZE, _LEGACY)
        extensions = Region(f"{name} vbe", 4, self._vbe_port_read, self._vbe_port_write, (1, 2))
        machine.ports.map(legacy, LEGACY)
        machine.ports.map(extensions, VBE_PORTS)
        self.bars = {
            0: Bar(BAR_MEMORY | BAR_PREFETCHABLE, self.memory.size, None),
            2: Bar(BAR_MEMORY, REGISTER_BYTES, self._registers_in_memory(legacy)),
        }
        self.reset()
        if rom:
            self.attach_rom(rom)

    def _registers_in_memory(self, legacy: Region) -> Region:
        inside = Bus(REGISTER_BYTES)
        skipped = 0x3C0 - LEGACY
        for region, base in (
            (Region("ports", 0x20, lambda at, size: legacy.read(at + skipped, size),
                    lambda at, size, value: legacy.write(at + skipped, size, value)), _PORTS_IN_MEMORY),
            (Region("vbe", 2 * (vbe.COUNT + 1), lambda at, size: self._vbe_read(at // 2),
                    lambda at, size, value: self._vbe_write(at // 2, value), (2,)), _VBE_IN_MEMORY),
            (register_region(self, "qemu", 8, _QEMU, 4), _QEMU_IN_MEMORY),
        ):  # fmt: skip
            inside.map(region, base)
        return Region(f"{self.name} registers", REGISTER_BYTES, inside.read, inside.write, (1, 2, 4, 8))

    def reset(self) -> None:
        """Registers become zero, and nothing is shown; video memory stays."""
        self.window.reset()
        super().reset()

    def loaded(self) -> None:
        """Registers have changed in any way: map what is mapped, tell the window."""
        super().loaded()
        self.memory = self.machine.video_memory()
        self.window.set_planes(self.state.sequencer, self.state.graphics)
        self._tell_mode()

    # ---- what follows from the registers ----

    @property
    def mode(self) -> vbe.VbeMode | None:
        """The VBE mode; None: the VGA's registers count."""
        return vbe.mode(self.state.vbe)

    @property
    def color(self) -> bool:
        """CRTC and status are at 0x3d0, not at 0x3b0."""
        return bool(self.state.misc & regs.MISC_COLOR)

    @property
    def dac_bits(self) -> int:
        """Bits of each colour of the palette: 6 or 8."""
        return 8 if self.state.vbe[vbe.ENABLE] & vbe.DAC_8_BITS else 6

    def _tell_mode(self) -> None:
        state, mode = self.state, self.mode
        kind, time = lib.VGA_VBE_OFF, _beam(state.crtc, state.misc, state.sequencer[regs.SR_CLOCKING])
        if mode is not None:
            kind = lib.VGA_VBE_PLANAR if mode.depth == 4 else lib.VGA_VBE_LINEAR
            time = regs.beam_60hz(mode.height)
        enabled = bool(state.misc & regs.MISC_RAM) or mode is not None
        self.window.set_mode(enabled, not self.color, kind, state.vbe[vbe.BANK] * vbe.BANK_BYTES, time)

    # ---- sequencer and graphics controller ----

    def _sequencer_read(self) -> int:
        return _indexed(self.state.sequencer, self.state.sequencer_index)

    def _sequencer_write(self, value: int) -> None:
        index = self.state.sequencer_index
        if index < len(regs.SEQUENCER_MASKS):
            self.state.sequencer = byte_replaced(self.state.sequencer, index, value & regs.SEQUENCER_MASKS[index])
            self.window.set_planes(self.state.sequencer, self.state.graphics)
            if index == regs.SR_CLOCKING:
                self._tell_mode()

    def _graphics_read(self) -> int:
        return _indexed(self.state.graphics, self.state.graphics_index)

    def _graphics_write(self, value: int) -> None:
        index = self.state.graphics_index
        if index < len(regs.GRAPHICS_MASKS):
            self.state.graphics = byte_replaced(self.state.graphics, index, value & regs.GRAPHICS_MASKS[index])
            self.window.set_planes(self.state.sequencer, self.state.graphics)

    # ---- CRTC, status ----

    def _crtc_read(self) -> int:
        return _indexed(self.state.crtc, self.state.crtc_index)

    def _crtc_write(self, value: int) -> None:
        index, old = self.state.crtc_index, self.state.crtc
        if index >= len(regs.CRTC_MASKS):
            return
        if index <= 7 and old[0x11] & regs.CR11_PROTECT:
            value = old[index] & ~regs.CR7_LINE_COMPARE | value & regs.CR7_LINE_COMPARE if index == 7 else old[index]
        self.state.crtc = byte_replaced(old, index, value)
        if self.state.crtc != old:
            self._tell_mode()

    def _misc_written(self, value: int) -> None:
        self._tell_mode()

    def _status(self) -> int:
        return self.window.status(self.machine.now_ns)

    # ---- attribute controller ----

    def _attribute_read(self) -> int:
        return _indexed(self.state.attribute, self.state.attribute_index & 0x1F)

    def _attribute_write(self, value: int) -> None:
        data = self.window.attribute_data()
        self.window.attribute_written()
        if not data:
            self.state.attribute_index = value & 0x3F
            return
        index = self.state.attribute_index & 0x1F
        if index < len(regs.ATTRIBUTE_MASKS):
            self.state.attribute = byte_replaced(self.state.attribute, index, value & regs.ATTRIBUTE_MASKS[index])

    # ---- DAC: three accesses a colour ----

    def _dac_reads_from(self, value: int) -> None:
        self.state.dac_mode, self.state.dac_read_index, self.state.dac_reads = _DAC_READING, value, 0

    def _dac_writes_to(self, value: int) -> None:
        self.state.dac_mode, self.state.dac_write_index, self.state.dac_part = _DAC_WRITING, value, b""

    def _dac_read(self) -> int:
        state = self.state
        value = state.palette[3 * state.dac_read_index + state.dac_reads]
        state.dac_reads = (state.dac_reads + 1) % 3
        if state.dac_reads == 0:
            state.dac_read_index = (state.dac_read_index + 1) & 0xFF
        return value

    def _dac_write(self, value: int) -> None:
        state = self.state
        part = state.dac_part + bytes((value & (1 << self.dac_bits) - 1,))
        if len(part) == 3:
            at = 3 * state.dac_write_index
            state.palette = state.palette[:at] + part + state.palette[at + 3 :]
            state.dac_write_index, part = (state.dac_write_index + 1) & 0xFF, b""
        state.dac_part = part

    # ---- VBE ----

    def _vbe_port_read(self, offset: int, size: int) -> int:
        if size != 2:
            return 0xFF
        return self.state.vbe_index if offset == 0 else self._vbe_read(self.state.vbe_index)

    def _vbe_port_write(self, offset: int, size: int, value: int) -> None:
        if size != 2:
            return
        if offset == 0:
            self.state.vbe_index = value
        else:
            self._vbe_write(self.state.vbe_index, value)

    def _vbe_read(self, index: int) -> int:
        return vbe.read(self.state.vbe, index, self.memory.size)

    def _vbe_write(self, index: int, value: int) -> None:
        before = self.mode
        self.state.vbe = vbe.write(self.state.vbe, index, value, self.memory.size)
        mode = self.mode
        if mode is not None and before is None and not value & vbe.NO_CLEAR:
            self.memory.clear(mode.stride * mode.height)
        self._tell_mode()


@functools.lru_cache(64)
def _beam(cr: bytes, misc: int, clocking: int) -> Beam:
    """Remembered, as every write to the CRTC asks."""
    return regs.beam(regs.crtc(cr), misc, clocking)


def _indexed(values: bytes, index: int) -> int:
    return values[index] if index < len(values) else 0


def _where(color: bool, register: Register) -> Register:
    """A register that answers at this place only while the miscellaneous output register puts it there."""

    def read(vga: Vga) -> int:
        return register.get(vga) if vga.color is color else 0xFF

    def write(vga: Vga, value: int) -> None:
        if vga.color is color:
            register.put(vga, value)

    return Register(register.name, read=read, write=write)


_MOVABLE = {
    0x4: Register("CRTC index", "crtc_index", writable=0xFF),
    0x5: Register("CRTC data", read=Vga._crtc_read, write=Vga._crtc_write),
    0xA: Register("input status 1; feature control", "feature", writable=_FEATURE_BITS, read=Vga._status),
}
_LEGACY = {
    **{0x3B0 + at - LEGACY: _where(False, register) for at, register in _MOVABLE.items()},
    **{0x3D0 + at - LEGACY: _where(True, register) for at, register in _MOVABLE.items()},
    0x3C0 - LEGACY: Register("attribute index and data", "attribute_index", write=Vga._attribute_write),
    0x3C1 - LEGACY: Register("attribute data", read=Vga._attribute_read),
    0x3C2 - LEGACY: Register("input status 0; miscellaneous output", "misc", writable=0xEF,
                             read=lambda vga: _MONITOR_PRESENT, write=Vga._misc_written),
    0x3C4 - LEGACY: Register("sequencer index", "sequencer_index", writable=0x07),
    0x3C5 - LEGACY: Register("sequencer data", read=Vga._sequencer_read, write=Vga._sequencer_write),
    0x3C6 - LEGACY: Register("PEL mask", "pel_mask", writable=0xFF),
    0x3C7 - LEGACY: Register("DAC state; read index", "dac_mode", write=Vga._dac_reads_from),
    0x3C8 - LEGACY: Register("DAC write index", "dac_write_index", write=Vga._dac_writes_to),
    0x3C9 - LEGACY: Register("DAC data", read=Vga._dac_read, write=Vga._dac_write),
    0x3CA - LEGACY: Register("feature control", "feature"),
    0x3CC - LEGACY: Register("miscellaneous output", "misc"),
    0x3CE - LEGACY: Register("graphics index", "graphics_index", writable=0x0F),
    0x3CF - LEGACY: Register("graphics data", read=Vga._graphics_read, write=Vga._graphics_write),
}  # fmt: skip
_QEMU = {
    0: Register("size of these registers", floating=8),
    4: Register("byte order of the frame buffer: little-endian only", floating=_LITTLE_ENDIAN),
}
