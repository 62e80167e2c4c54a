"""A bare processor in real mode around a VGA on the bench, for a real VGA BIOS: SeaVGABIOS, as Debian has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import unicorn
from unicorn import x86_const as x86

from tests.devices.vga.bench import VgaBench

NAME = "usr/share/seabios/vgabios-stdvga.bin"
FETCHED = Path(__file__).resolve().parents[3] / "build/guests/amd64/seabios"
"""Where tools/fetch_debian.py puts the package."""
ROM_SEGMENT, STUB, STACK, DATA = 0xC000, 0x600, 0x9000, 0x20000
FRAME_BUFFER = 0xE0000000
PCI_ADDRESS, PCI_DATA = 0xCF8, 0xCFC
CODE_MOST = 50_000_000


def find_bios() -> bytes | None:
    """The BIOS image; None: it is not installed."""
    return next((path.read_bytes() for path in (Path("/") / NAME, FETCHED / NAME) if path.exists()), None)


class Pc:
    """Ports and the legacy window are the bench's; PCI configuration space has the VGA and nothing else."""

    def __init__(self, rom: bytes) -> None:
        self.bench = VgaBench()
        self.bench.vga.config_write(0x10, 4, FRAME_BUFFER)
        self.bench.vga.config_write(0x04, 2, 3)
        self._pci = 0
        self.uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_16)
        self.uc.mem_map(0, 0xA0000)
        self.uc.mmio_map(0xA0000, 0x20000, self._read, None, self._write, None)
        self.uc.mem_map(0xC0000, 0x40000)
        self.uc.mem_write(ROM_SEGMENT << 4, rom)
        self.uc.mem_write(0xF0000, b"\xf4" * 0x10000)
        self.uc.hook_add(unicorn.UC_HOOK_INSN, self._in, None, 1, 0, x86.UC_X86_INS_IN)
        self.uc.hook_add(unicorn.UC_HOOK_INSN, self._out, None, 1, 0, x86.UC_X86_INS_OUT)
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._interrupt)
        self._run(bytes((0x9A, 3, 0)) + ROM_SEGMENT.to_bytes(2, "little"), ax=self.bench.vga.slot << 3)

    def video(self, ax: int, **registers: int) -> int:
        """INT 10h; ax afterwards."""
        return self._run(b"\xcd\x10", ax=ax, **registers)

    def memory(self, address: int, length: int) -> bytes:
        return bytes(self.uc.mem_read(address, length))

    def _run(self, code: bytes, **registers: int) -> int:
        self.uc.mem_write(STUB, code + b"\xf4")
        for name, value in ({"bx": 0, "cx": 0, "dx": 0, "es": DATA >> 4, "di": 0, "bp": 0} | registers).items():
            self.uc.reg_write(getattr(x86, f"UC_X86_REG_{name.upper()}"), value)
        for name, value in (("CS", 0), ("DS", 0), ("SS", 0), ("SP", STACK), ("EFLAGS", 2)):
            self.uc.reg_write(getattr(x86, f"UC_X86_REG_{name}"), value)
        self.uc.emu_start(STUB, STUB + len(code), count=CODE_MOST)
        assert self.uc.reg_read(x86.UC_X86_REG_IP) == STUB + len(code)
        return int(self.uc.reg_read(x86.UC_X86_REG_AX))

    # ---- what the processor meets ----

    def _interrupt(self, uc: Any, number: int, data: Any) -> None:
        """As a processor in real mode takes it; nobody else does it here."""
        sp = uc.reg_read(x86.UC_X86_REG_SP)
        for name in ("EFLAGS", "CS", "IP"):
            sp = sp - 2 & 0xFFFF
            value = uc.reg_read(getattr(x86, f"UC_X86_REG_{name}")) & 0xFFFF
            uc.mem_write((uc.reg_read(x86.UC_X86_REG_SS) << 4) + sp, value.to_bytes(2, "little"))
        uc.reg_write(x86.UC_X86_REG_SP, sp)
        vector = uc.mem_read(4 * number, 4)
        uc.reg_write(x86.UC_X86_REG_CS, int.from_bytes(vector[2:], "little"))
        uc.reg_write(x86.UC_X86_REG_IP, int.from_bytes(vector[:2], "little"))

    def _read(self, uc: Any, offset: int, size: int, data: Any) -> int:
        return self.bench.read(0xA0000 + offset, size)

    def _write(self, uc: Any, offset: int, size: int, value: int, data: Any) -> None:
        self.bench.write(0xA0000 + offset, value & (1 << 8 * size) - 1, size)

    def _in(self, uc: Any, port: int, size: int, data: Any) -> int:
        self.bench.machine.advance(10_000)  # it waits for the retrace
        if port == PCI_ADDRESS:
            return self._pci
        if PCI_DATA <= port < PCI_DATA + 4:
            if not self._is_vga():
                return (1 << 8 * size) - 1
            return self.bench.vga.config_read((self._pci & 0xFC) + port - PCI_DATA, size)
        return self.bench.inp(port, size)

    def _out(self, uc: Any, port: int, size: int, value: int, data: Any) -> None:
        if port == PCI_ADDRESS:
            self._pci = value
        elif PCI_DATA <= port < PCI_DATA + 4:
            if self._is_vga():
                self.bench.vga.config_write((self._pci & 0xFC) + port - PCI_DATA, size, value)
        else:
            self.bench.out(port, value, size)

    def _is_vga(self) -> bool:
        return self._pci >> 8 & 0xFFFF == self.bench.vga.slot << 3
