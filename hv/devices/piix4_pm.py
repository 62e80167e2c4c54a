"""The power management function of PIIX4, 0:1.3: ACPI's fixed registers, the PM timer, general purpose events, the SMI
command port; sleep state S5 is a power-off.

    PMBASE + 0x00   PM1 status: timer (0), global lock (5), power button (8)     cleared by ones
           + 0x02   PM1 enable
           + 0x04   PM1 control: SCI_EN (0), GBL_RLS (2), SLP_TYP (12:10), SLP_EN (13)
           + 0x08   PM timer: 3.579545 MHz
           + 0x28   global control: BIOS_RLS (1)
    GPE_BASE        general purpose status and enable, 16 bits each
    0xb2, 0xb3      SMI command and status

There is no system management mode: SCI_EN is up after a reset, and the SMI command port does what firmware's handler
would (ACPI enable and disable). DEVACTB says that its SMI is enabled already, so that firmware does not try to install
a handler. The SMBus controller cannot be enabled. Interrupt 9 is level-triggered (SCI).

The PM timer is computed. Its status bit (the uppermost bit has changed) too; a deadline is set only while it could
interrupt.

accept() takes POWER_BUTTON, a short press, and POWER_BUTTON_HELD, which switches off whatever the guest does.

Source: Intel 82371AB (PIIX4) data sheet, chapter 7; ACPI Specification 6.4, chapter 4.8.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hv.devices.device import NEVER
from hv.devices.pci import COMMAND, INTERRUPT_LINE, QEMU_SUBSYSTEM, STATUS, Identity, PciDevice, PciMachine, PciState
from hv.devices.registers import Register, mixed_region
from hv.devices.ticks import PM_CLOCK

POWER_BUTTON, POWER_BUTTON_HELD = b"power-button", b"power-button-held"
SCI, SIZE, GPE_PORT, APM_PORT = 9, 0x40, 0xAFE0, 0xB2
TIMER_BITS = 24
"""Width of the PM timer."""
TIMER = 0x08
"""Its register."""
PMBASE, DEVACTB, PMREGMISC = 0x40, 0x58, 0x80
"""In configuration space: the ports' base, what causes an SMI, and whether the ports are enabled (bit 0)."""
PMBASE_MASK, IO_SPACE, APM_SMI = 0xFFC0, 1, 0x02
TIMER_BIT, GLOBAL_BIT, BUTTON_BIT, CLOCK_BIT = 0x0001, 0x0020, 0x0100, 0x0400
EVENTS = TIMER_BIT | GLOBAL_BIT | BUTTON_BIT
ENABLES = EVENTS | CLOCK_BIT
"""The clock's alarm can be enabled (Linux checks it), but wakes from sleep states only, of which there is none."""
SCI_ENABLE, BUS_MASTER_RELOAD, SLEEP_TYPE, SLEEP = 0x0001, 0x0002, 0x1C00, 0x2000
SOFT_OFF = 0
"""SLP_TYP of S5."""
BIOS_RELEASE = 0x00000002
ACPI_ENABLE, ACPI_DISABLE = 0xF1, 0xF0
"""SMI commands: the FADT of a machine whose guests switch to ACPI by themselves names them."""


@dataclass
class PmState(PciState):
    """The registers. `events`: PM1 status but for the timer's bit; `timer_seen`: half turns of the timer up to which
    its status bit was cleared."""

    events: int = 0
    enabled: int = 0
    control: int = SCI_ENABLE
    timer_seen: int = 0
    processor: int = 0
    global_status: int = 0
    global_enabled: int = 0
    global_control: int = 0
    device_control: int = 0
    gpe_status: int = 0
    gpe_enabled: int = 0
    apm_command: int = 0
    apm_status: int = 0
    line: bool = False


class Piix4Pm(PciDevice):
    """The function. Its ports are nowhere until firmware says where."""

    IDENTITY = Identity(0x8086, 0x7113, 0x068000, 3, *QEMU_SUBSYSTEM, pin=1)
    State: type[Any] = PmState
    state: PmState
    WRITABLE: Mapping[int, int] = {
        PMBASE: 0xC0, PMBASE + 1: 0xFF, PMREGMISC: 0x01,
        **dict.fromkeys((*range(0x44, 0x4C), *range(0x4C, 0x80)), 0xFF),  # what causes which event: only kept
        0x90: 0xF0, 0x91: 0xFF,  # SMBus base
    }  # fmt: skip

    def __init__(self, machine: PciMachine, name: str = "pm", slot: int = 1, function: int = 3) -> None:
        super().__init__(machine, name, slot, function)
        self._region = mixed_region(self, f"{name} ports", SIZE, TABLE)
        machine.ports.map(mixed_region(self, f"{name} events", 4, GPE_TABLE), GPE_PORT)
        machine.ports.map(mixed_region(self, f"{name} SMI", 2, APM_TABLE), APM_PORT)
        self.state.config = self.first_config()
        self.loaded()

    # ---- PCI ----

    def first_config(self) -> bytes:
        """Configuration space after a reset."""
        config = bytearray(super().first_config())
        config[COMMAND] = 0
        config[STATUS : STATUS + 2] = 0x0280.to_bytes(2, "little")
        config[INTERRUPT_LINE] = SCI
        config[PMBASE] = IO_SPACE
        config[DEVACTB + 3] = APM_SMI
        config[0x90] = IO_SPACE
        return bytes(config)

    def reset(self) -> None:
        """Power on, or the reset line."""
        super().reset()
        self.state.timer_seen = self._half_turns()
        self.machine.set_timer(self, NEVER)
        self.machine.set_irq(SCI, False)

    def loaded(self) -> None:
        """Map the ports where configuration space says."""
        super().loaded()
        base = self.config_read(PMBASE, 2) & PMBASE_MASK
        if not self.config_read(PMREGMISC, 1) & 1 or not base:
            self.machine.ports.unmap(self._region)
        elif self._region.base != base:
            self.machine.ports.map(self._region, base)

    # ---- events ----

    def accept(self, data: bytes) -> None:
        """The power button."""
        if data == POWER_BUTTON:
            self.state.events |= BUTTON_BIT
            self.changed()
        elif data == POWER_BUTTON_HELD:
            self.machine.power_off()

    def changed(self, value: int = 0) -> None:
        """Drive the SCI, and wait for the timer if it may interrupt next."""
        state = self.state
        pending = self.read_events() & state.enabled or state.gpe_status & state.gpe_enabled
        level = bool(pending and state.control & SCI_ENABLE)
        if level != state.line:
            state.line = level
            self.machine.set_irq(SCI, level)
        waits = state.enabled & TIMER_BIT and not self.read_events() & TIMER_BIT
        turn = state.timer_seen + 1 << TIMER_BITS - 1
        self.machine.set_timer(self, PM_CLOCK.ns(turn) if waits else NEVER)

    def timer(self) -> None:
        """The uppermost bit of the PM timer has changed."""
        self.changed()

    # ---- registers ----

    def _half_turns(self) -> int:
        return PM_CLOCK.ticks(self.machine.now_ns) >> TIMER_BITS - 1

    def read_events(self) -> int:
        """PM1 status."""
        return self.state.events | (TIMER_BIT if self._half_turns() != self.state.timer_seen else 0)

    def clear_events(self, value: int) -> None:
        """PM1 status: ones clear."""
        self.state.events &= ~value
        if value & TIMER_BIT:
            self.state.timer_seen = self._half_turns()
        self.changed()

    def read_timer(self) -> int:
        """The PM timer."""
        tick = PM_CLOCK.ticks(self.machine.now_ns)
        self.machine.hold((self._region.base or 0) + TIMER, 4, PM_CLOCK.ns(tick + 1))
        return tick & (1 << TIMER_BITS) - 1

    def write_control(self, value: int) -> None:
        """PM1 control. GBL_RLS tells firmware, of which none listens; the sleep states but S5 are not there."""
        state = self.state
        state.control = value & (SCI_ENABLE | BUS_MASTER_RELOAD | SLEEP_TYPE)
        if value & SLEEP and (value & SLEEP_TYPE) >> 10 == SOFT_OFF:
            self.machine.power_off()
        self.changed()

    def write_global_control(self, value: int) -> None:
        """Global control: firmware lets the global lock go."""
        if value & BIOS_RELEASE:
            self.state.events |= GLOBAL_BIT
            self.changed()

    def smi_command(self, value: int) -> None:
        """APM control: what an SMI handler would do."""
        if value in (ACPI_ENABLE, ACPI_DISABLE):
            enable = SCI_ENABLE if value == ACPI_ENABLE else 0
            self.state.control = self.state.control & ~SCI_ENABLE | enable
            self.changed()


TABLE: Mapping[int, tuple[int, Register]] = {
    0x00: (2, Register("PM1 status", read=Piix4Pm.read_events, write=Piix4Pm.clear_events, clears=EVENTS)),
    0x02: (2, Register("PM1 enable", "enabled", writable=ENABLES, write=Piix4Pm.changed)),
    0x04: (2, Register("PM1 control", "control", write=Piix4Pm.write_control)),
    TIMER: (4, Register("PM timer", read=Piix4Pm.read_timer)),
    0x10: (4, Register("processor control", "processor", writable=0x00003E1F)),
    0x18: (2, Register("global status", "global_status", clears=0xFFFF)),
    0x20: (2, Register("global enable", "global_enabled", writable=0xFFFF)),
    0x28: (4, Register("global control", "global_control", writable=0x07FFFF1D, write=Piix4Pm.write_global_control)),
    0x2C: (4, Register("device control", "device_control", writable=0xFFFFFFFF)),
}
"""offset: (width, register)"""
GPE_TABLE: Mapping[int, tuple[int, Register]] = {
    0x0: (2, Register("GPE0 status", "gpe_status", clears=0xFFFF, write=Piix4Pm.changed)),
    0x2: (2, Register("GPE0 enable", "gpe_enabled", writable=0xFFFF, write=Piix4Pm.changed)),
}
APM_TABLE: Mapping[int, tuple[int, Register]] = {
    0x0: (1, Register("SMI command", "apm_command", writable=0xFF, write=Piix4Pm.smi_command)),
    0x1: (1, Register("SMI status", "apm_status", writable=0xFF)),
}
