"""PIIX4 power management: ACPI's fixed registers, as firmware and Linux use them."""

import pytest

from hv.devices.piix4_pm import POWER_BUTTON, POWER_BUTTON_HELD, Piix4Pm
from hv.devices.ticks import PM_CLOCK
from tests.devices.machine import TestMachine

BASE, SCI, GPE = 0xB000, 9, 0xAFE0
EVENT, ENABLE, CONTROL, TIMER = BASE, BASE + 2, BASE + 4, BASE + 8


@pytest.fixture
def machine() -> TestMachine:
    machine = TestMachine()
    build(machine)
    return machine


def build(machine: TestMachine) -> Piix4Pm:
    pm = Piix4Pm(machine)
    pm.reset()
    pm.config_write(0x40, 4, BASE | 1)
    pm.config_write(0x80, 1, 1)
    machine.edges.clear()
    return pm


def test_identity_and_where_the_ports_are() -> None:
    machine = TestMachine()
    pm = Piix4Pm(machine)
    pm.reset()
    assert pm.config_read(0, 4) == 0x71138086 and pm.config_read(0x08, 4) == 0x06800003
    assert (pm.slot, pm.function) == (1, 3) and pm.config_read(0x3C, 2) == 0x0109
    assert machine.inp(0x604, 2) == 0xFFFF
    pm.config_write(0x40, 4, 0x601)
    assert machine.inp(0x604, 2) == 0xFFFF
    pm.config_write(0x80, 1, 1)
    assert machine.inp(0x604, 2) == 0x0001
    pm.config_write(0x40, 4, BASE | 1)
    assert machine.inp(0x604, 2) == 0xFFFF and machine.inp(CONTROL, 2) == 0x0001
    pm.config_write(0x80, 1, 0)
    assert machine.inp(CONTROL, 2) == 0xFFFF


def test_firmware_leaves_system_management_mode_alone(machine: TestMachine) -> None:
    """SeaBIOS would wait for its SMI handler for ever, unless APMC_EN of DEVACTB says that it is there already."""
    pm = build(TestMachine())
    assert pm.config_read(0x58, 4) & 1 << 25
    assert not pm.config_read(0xD2, 1) & 1


def test_the_timer_runs_at_3_58_mhz(machine: TestMachine) -> None:
    machine.advance(10**9)
    assert machine.inp(TIMER, 4) == 3_579_545
    machine.advance(9 * 10**9)
    assert machine.inp(TIMER, 4) == 35_795_454 & (1 << 24) - 1
    machine.out(TIMER, 0, 4)
    assert machine.inp(TIMER, 4) == 35_795_454 & (1 << 24) - 1


def test_the_timer_holds_a_tick(machine: TestMachine) -> None:
    machine.advance(1000)
    tick = machine.inp(TIMER, 4)
    assert machine.held is not None and machine.held[:3] == (TIMER, 4, tick)
    machine.advance(machine.held[3] - 1 - machine.now)
    assert machine.inp(TIMER, 4) == tick
    machine.advance(1)
    assert machine.inp(TIMER, 4) == tick + 1
    machine.inp(TIMER, 2)
    assert machine.held is None


def test_the_timer_interrupts_when_its_upper_bit_changes(machine: TestMachine) -> None:
    assert machine.deadlines == {}
    machine.out(ENABLE, 1, 2)
    turn = PM_CLOCK.ns(1 << 23)
    machine.advance(turn - 1)
    assert machine.edges == [] and machine.inp(EVENT, 2) == 0
    machine.advance(1)
    assert machine.edges == [(SCI, True)] and machine.inp(EVENT, 2) == 1
    assert machine.deadlines == {}
    machine.advance(5 * 10**9)
    machine.out(EVENT, 1, 2)
    assert machine.edges == [(SCI, True), (SCI, False)]
    machine.advance(PM_CLOCK.ns(4 << 23) - machine.now)
    assert machine.edges[-1] == (SCI, True)


def test_the_timer_status_is_there_though_nothing_waits(machine: TestMachine) -> None:
    machine.advance(3 * 10**9)
    assert machine.deadlines == {} and machine.inp(EVENT, 2) == 1
    machine.out(EVENT, 1, 2)
    assert machine.inp(EVENT, 2) == 0


def test_the_power_button(machine: TestMachine) -> None:
    pm = build(TestMachine())
    machine = pm.machine  # type: ignore[assignment]
    pm.accept(POWER_BUTTON)
    assert machine.inp(EVENT, 2) == 0x100 and machine.edges == []
    machine.out(ENABLE, 0x100, 2)
    assert machine.edges == [(SCI, True)]
    machine.out(EVENT + 1, 1)
    assert machine.edges == [(SCI, True), (SCI, False)] and machine.inp(EVENT, 2) == 0
    pm.accept(b"nonsense")
    assert machine.inp(EVENT, 2) == 0 and machine.ended == ""
    pm.accept(POWER_BUTTON_HELD)
    assert machine.ended == "power off"


@pytest.mark.parametrize(
    ("control", "size", "port"), [(0x2001, 2, CONTROL), (0x2000, 2, CONTROL), (0x20, 1, CONTROL + 1)]
)
def test_sleep_state_5_is_a_power_off(machine: TestMachine, control: int, size: int, port: int) -> None:
    machine.out(port, control, size)
    assert machine.ended == "power off"
    assert not machine.inp(CONTROL, 2) & 0x2000


def test_other_sleep_states_are_not_there(machine: TestMachine) -> None:
    for kind in range(1, 8):
        machine.out(CONTROL, 0x2001 | kind << 10, 2)
    machine.out(CONTROL, 0x0001, 2)
    assert machine.ended == ""


def test_acpi_mode_by_smi_command(machine: TestMachine) -> None:
    machine.out(0xB2, 0xF0)
    assert machine.inp(CONTROL, 2) == 0 and machine.inp(0xB2) == 0xF0
    machine.out(ENABLE, 0x20, 2)
    machine.out(BASE + 0x28, 2, 4)  # firmware lets the global lock go
    assert machine.inp(EVENT, 2) == 0x20 and machine.edges == []
    machine.out(0xB2, 0xF1)
    assert machine.inp(CONTROL, 2) == 1 and machine.edges == [(SCI, True)]
    machine.out(EVENT, 0x20, 2)
    assert machine.edges[-1] == (SCI, False)
    machine.out(0xB3, 0x5A)
    assert machine.inp(0xB3) == 0x5A


def test_which_events_can_be_enabled(machine: TestMachine) -> None:
    machine.out(ENABLE, 0xFFFF, 2)
    assert machine.inp(ENABLE, 2) == 0x0521


def test_general_purpose_events() -> None:
    machine = TestMachine()
    pm = build(machine)
    pm.state.gpe_status = 2
    pm.changed()
    assert machine.inp(GPE, 2) == 2 and machine.edges == []
    machine.out(GPE + 2, 0xFF, 1)
    assert machine.edges == [(SCI, True)]
    machine.out(GPE, 2, 1)
    assert machine.inp(GPE, 4) == 0x00FF0000 and machine.edges[-1] == (SCI, False)


def test_a_reset_drops_everything() -> None:
    machine = TestMachine()
    pm = build(machine)
    machine.out(ENABLE, 0x101, 2)
    pm.accept(POWER_BUTTON)
    machine.advance(10**10)
    pm.reset()
    assert not machine.lines[SCI] and machine.deadlines == {} and machine.inp(CONTROL, 2) == 0xFFFF
    pm.config_write(0x40, 4, BASE | 1)
    pm.config_write(0x80, 1, 1)
    assert machine.inp(EVENT, 4) == 0
