"""The UHCI controller by its registers and its schedule, right and wrong."""

import random

import pytest

from hv.devices.pci import COMMAND
from hv.devices.uhci import FRAME_NS, Uhci
from hv.devices.uhci_schedule import FRAME_BYTES, OVERHEAD
from hv.devices.usb import IN, OUT, SETUP
from hv.devices.usb_tablet import UsbTablet
from tests.devices.machine import MEMORY, TestMachine
from tests.devices.uhci_driver import (
    ACTIVE,
    BASE,
    BUFFERS,
    COMMAND_REGISTER,
    DEPTH,
    ENABLE,
    END,
    INTERRUPT,
    LIST,
    NUMBER,
    PORTS,
    QH,
    QUEUE,
    SHORT,
    STALLED,
    STATUS,
    THREE_ERRORS,
    TRANSFERS,
    Driver,
    Stalled,
)

ADDRESS = 5
HALTED, SYSTEM_ERROR, PROCESS_ERROR = 0x20, 0x08, 0x10


@pytest.fixture
def driver() -> Driver:
    machine = TestMachine()
    return Driver(UsbTablet(machine), machine=machine)


# ---- registers ----


def test_configuration_space(driver: Driver) -> None:
    assert driver.uhci.config_read(0, 4) == 0x70208086 and driver.uhci.config_read(8, 4) >> 8 == 0x0C0300
    assert driver.uhci.config_read(0x3D, 1) == 4 and driver.uhci.config_read(0x60, 1) == 0x10
    driver.uhci.config_write(0x20, 4, 0xFFFFFFFF)
    assert driver.uhci.config_read(0x20, 4) == 0xFFFFFFE1


def test_registers_after_a_reset(driver: Driver) -> None:
    driver.out(COMMAND_REGISTER, 2)
    assert [driver.inp(register) for register in (0, 2, 4, 6)] == [0, HALTED, 0, 0]
    assert driver.inp(BASE, 4) == 0 and driver.inp(0x0C, 1) == 0x40
    assert driver.inp(PORTS) == 0x93 and driver.inp(PORTS + 2) == 0x80
    assert driver.uhci.name not in driver.machine.deadlines


def test_frame_number_counts_while_it_runs(driver: Driver) -> None:
    driver.frames(5)
    assert driver.inp(NUMBER) == 5 and not driver.inp(STATUS) & HALTED
    driver.out(COMMAND_REGISTER, 0)
    assert driver.inp(STATUS) & HALTED and driver.uhci.name not in driver.machine.deadlines
    driver.machine.advance(10 * FRAME_NS)
    assert driver.inp(NUMBER) == 5
    driver.out(NUMBER, 0xFFFF)
    driver.out(COMMAND_REGISTER, 1)
    driver.frames(2)
    assert driver.inp(NUMBER) == 1


def test_ports(driver: Driver) -> None:
    driver.out(PORTS, 0x02)
    assert driver.inp(PORTS) & 0x0F == 1
    driver.out(PORTS, 0x204)
    assert driver.inp(PORTS) & 0x214 == 0x200
    driver.out(PORTS, 0x000)
    driver.out(PORTS, 0x004)
    assert driver.inp(PORTS) & 0x215 == 0x015
    driver.out(PORTS + 2, 0x1004)
    assert driver.inp(PORTS + 2) == 0x1080


# ---- transfers ----


def test_a_device_is_found_and_configured(driver: Driver) -> None:
    driver.reset_port()
    start = driver.control(0, 0x80, 6, 0x0100, length=8)
    assert start[:2] == b"\x12\x01" and start[7] == 8
    driver.control(0, 0x00, 5, ADDRESS)
    assert driver.control(ADDRESS, 0x80, 6, 0x0100, length=18)[8:12] == bytes.fromhex("27060100")
    driver.control(ADDRESS, 0x00, 9, 1)
    assert driver.control(ADDRESS, 0x80, 8, length=1) == b"\x01"
    with pytest.raises(AssertionError):
        driver.queue(0, 0, [(SETUP, 8, BUFFERS)], most=2)


def test_an_interrupt_on_completion_at_the_end_of_the_frame(driver: Driver) -> None:
    driver.configure(ADDRESS)
    driver.out(STATUS, 0x3F)
    driver.device.accept(b"at 1 2\n")
    driver.descriptor(TRANSFERS, IN, ADDRESS, 1, 8, BUFFERS, flags=INTERRUPT | THREE_ERRORS)
    driver.write32(QUEUE + 4, TRANSFERS)
    driver.machine.advance(FRAME_NS - 1)
    assert not driver.machine.pins.get("uhci")
    driver.machine.advance(1)
    assert driver.machine.pins["uhci"] and driver.inp(STATUS) & 1
    driver.out(STATUS, 1)
    assert not driver.machine.pins["uhci"]
    assert driver.read32(QUEUE + 4) & END


def test_a_short_packet_stops_the_queue_where_it_is_to_be_detected(driver: Driver) -> None:
    driver.configure(ADDRESS)
    driver.device.accept(b"at 1 2\n")
    driver.descriptor(TRANSFERS, IN, ADDRESS, 1, 64, BUFFERS, TRANSFERS + 16 | DEPTH, SHORT | THREE_ERRORS)
    driver.descriptor(TRANSFERS + 16, IN, ADDRESS, 1, 64, BUFFERS + 64)
    driver.write32(QUEUE + 4, TRANSFERS)
    driver.frames(2)
    assert driver.read32(QUEUE + 4) == TRANSFERS and not driver.read32(TRANSFERS + 4) & ACTIVE
    assert driver.inp(STATUS) & 1 and driver.read32(TRANSFERS + 4) & 0x7FF == 5
    driver.out(ENABLE, 4)
    assert not driver.machine.pins["uhci"]  # it is no completion


def test_a_stall_ends_the_descriptor(driver: Driver) -> None:
    driver.configure(ADDRESS)
    driver.out(STATUS, 0x3F)
    with pytest.raises(Stalled):
        driver.control(ADDRESS, 0x80, 0x33, length=4)
    assert driver.inp(STATUS) & 2 and driver.machine.pins["uhci"]
    assert driver.control(ADDRESS, 0x80, 0, length=2) == b"\0\0"


def test_three_timeouts_where_nobody_is(driver: Driver) -> None:
    driver.descriptor(TRANSFERS, IN, 99, 1, 8, BUFFERS)
    driver.write32(QUEUE + 4, TRANSFERS)
    driver.frames(2)
    assert driver.read32(TRANSFERS + 4) & (ACTIVE | STALLED) == ACTIVE
    driver.frames()
    assert driver.read32(TRANSFERS + 4) & (ACTIVE | STALLED) == STALLED and driver.inp(STATUS) & 2


def test_more_data_than_there_is_room_for_is_babble(driver: Driver) -> None:
    driver.configure(ADDRESS)
    driver.device.accept(b"at 1 2\n")
    driver.machine.ram[BUFFERS : BUFFERS + 8] = bytes(8)
    driver.descriptor(TRANSFERS, IN, ADDRESS, 1, 3, BUFFERS)
    driver.write32(QUEUE + 4, TRANSFERS)
    driver.frames()
    assert driver.read32(TRANSFERS + 4) & (ACTIVE | STALLED | 1 << 20) == STALLED | 1 << 20
    assert not any(driver.machine.ram[BUFFERS : BUFFERS + 8])


def test_a_frame_has_time_for_so_many_bytes(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.configure(ADDRESS)
    count = 200
    for i in range(count):
        link = TRANSFERS + 16 * (i + 1) | DEPTH
        driver.descriptor(TRANSFERS + 16 * i, OUT, ADDRESS, 0, 64, BUFFERS, link, flags=0)
    driver.descriptor(TRANSFERS + 16 * count, OUT, ADDRESS, 0, 64, BUFFERS)
    tried: list[int] = []
    monkeypatch.setattr(driver.device, "token", lambda *packet: tried.append(1) or b"")
    driver.write32(QUEUE + 4, TRANSFERS)
    driver.frames()
    assert len(tried) == FRAME_BYTES // (64 + OVERHEAD)
    driver.frames()
    assert len(tried) == 2 * (FRAME_BYTES // (64 + OVERHEAD))


def test_a_closed_circle_of_queues_uses_the_frame_up(driver: Driver) -> None:
    """As drivers do it for bulk transfers: breadth first, round and round."""
    driver.configure(ADDRESS)
    driver.write32(QUEUE, QUEUE | QH)
    for i in range(8):
        link = TRANSFERS + 16 * (i + 1) if i < 7 else END
        driver.descriptor(TRANSFERS + 16 * i, SETUP, ADDRESS, 0, 8, BUFFERS, link)
    driver.write32(QUEUE + 4, TRANSFERS)
    driver.frames()
    assert driver.read32(QUEUE + 4) & END


# ---- idle guests ----


def test_an_idle_schedule_waits_for_a_processor_or_for_the_device(driver: Driver) -> None:
    driver.configure(ADDRESS)
    driver.descriptor(TRANSFERS, IN, ADDRESS, 1, 8, BUFFERS, flags=THREE_ERRORS | INTERRUPT)
    driver.write32(QUEUE + 4, TRANSFERS)
    driver.frames(12)
    seen = []
    for _ in range(8):
        driver.frames()
        seen.append(driver.machine.patient)
    assert any(seen)
    while not driver.machine.patient:
        driver.frames()
    driver.machine.now += 7 * FRAME_NS + 1  # time that passes frames by
    driver.uhci.timer()
    assert driver.machine.patient
    driver.frames()  # a processor runs
    assert not driver.machine.patient
    driver.device.accept(b"at 100 200\n")
    assert not driver.machine.patient
    driver.frames()
    assert not driver.read32(TRANSFERS + 4) & ACTIVE


@pytest.mark.parametrize("what", ["control", "nobody", "idle rate", "elsewhere"])
def test_a_schedule_with_work_does_not_wait(driver: Driver, what: str) -> None:
    driver.configure(ADDRESS)
    if what == "idle rate":
        driver.control(ADDRESS, 0x21, 0x0A, 0x0100)
    driver.frames(30)
    device, endpoint = (99 if what == "nobody" else ADDRESS), (0 if what == "control" else 1)
    driver.descriptor(TRANSFERS, IN, device, endpoint, 8, BUFFERS, flags=0)
    if what == "elsewhere":  # in a frame to come
        driver.device.accept(b"at 1 1\n")
        driver.write32(LIST + 4 * (driver.inp(NUMBER) + 60 & 1023), TRANSFERS)
    else:
        driver.write32(QUEUE + 4, TRANSFERS)
    for _ in range(40):
        driver.frames()
        done = not driver.read32(TRANSFERS + 4) & ACTIVE
        assert done or not driver.machine.patient


# ---- hostile guests ----


def stopped(driver: Driver, status: int) -> None:
    """The controller has stopped with an error, and a reset brings it back."""
    assert driver.inp(STATUS) & (HALTED | SYSTEM_ERROR | PROCESS_ERROR) == HALTED | status
    assert driver.machine.pins["uhci"] and driver.uhci.name not in driver.machine.deadlines
    driver.out(COMMAND_REGISTER, 2)
    assert not driver.machine.pins["uhci"] and driver.inp(STATUS) == HALTED


NOWHERE = MEMORY + 0x1000


@pytest.mark.parametrize("place", ["list", "queue", "descriptor", "element", "to the host", "from the host"])
def test_where_no_memory_is(driver: Driver, place: str) -> None:
    driver.configure(ADDRESS)
    driver.device.accept(b"at 1 2\n")
    if place == "list":
        driver.out(BASE, NOWHERE, 4)
    elif place == "queue":
        driver.write32(QUEUE, NOWHERE | QH)
    elif place == "descriptor":
        driver.write32(QUEUE, NOWHERE)
    elif place == "element":
        driver.write32(QUEUE + 4, NOWHERE)
    else:
        kind = IN if place == "to the host" else OUT
        driver.descriptor(TRANSFERS, kind, ADDRESS, 1 if kind == IN else 0, 8, NOWHERE)
        driver.write32(QUEUE + 4, TRANSFERS)
    driver.frames()
    stopped(driver, SYSTEM_ERROR)


@pytest.mark.parametrize(("token", "flags"), [(0x00, 0), (0xFF, 0), (IN | 0x6FF << 21, 0)])
def test_descriptors_that_make_no_sense(driver: Driver, token: int, flags: int) -> None:
    driver.write32(TRANSFERS, END, ACTIVE | flags, token | 1 << 8, BUFFERS)
    driver.write32(QUEUE + 4, TRANSFERS)
    driver.frames()
    stopped(driver, PROCESS_ERROR)


def test_circles_end_with_the_frame(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.configure(ADDRESS)
    reads = 0
    read = driver.machine.dma_read

    def counted(address: int, length: int) -> bytes:
        nonlocal reads
        reads += 1
        return read(address, length)

    monkeypatch.setattr(driver.machine, "dma_read", counted)
    driver.write32(TRANSFERS, TRANSFERS, 0, IN, 0)                       # a TD that follows itself
    driver.write32(TRANSFERS + 32, TRANSFERS + 32 | DEPTH, 0, IN, 0)
    driver.write32(QUEUE + 16, QUEUE + 32 | QH, QUEUE + 32 | QH)         # QHs in each other
    driver.write32(QUEUE + 32, QUEUE + 16 | QH, QUEUE + 16 | QH)
    for link in (TRANSFERS, TRANSFERS + 32, QUEUE + 16 | QH):
        driver.write32(LIST, *[link] * 1024)
        reads = 0
        driver.frames(20)
        assert 20 <= reads < 20 * 800 and not driver.inp(STATUS) & HALTED
    for i in range(100):                                                 # TDs for nobody, in a circle
        driver.descriptor(TRANSFERS + 16 * i, IN, 77, 1, 0, 0, TRANSFERS + 16 * ((i + 1) % 100), flags=0)
    reads = 0
    driver.write32(LIST, *[TRANSFERS] * 1024)
    driver.frames(20)
    assert reads < 20 * (FRAME_BYTES // OVERHEAD + 10)


def test_without_bus_mastering_nothing_is_touched(driver: Driver) -> None:
    driver.descriptor(TRANSFERS, IN, 99, 1, 8, BUFFERS, flags=0)
    driver.write32(QUEUE + 4, TRANSFERS)
    driver.uhci.config_write(COMMAND, 2, 1)
    before = bytes(driver.machine.ram)
    driver.frames(10)
    assert bytes(driver.machine.ram) == before and driver.inp(NUMBER) == 10


def test_random_schedules_and_registers() -> None:
    """Whatever is in memory and registers: no exception, a bounded frame, the same twice."""
    outcomes = []
    for _ in range(2):
        dice = random.Random(21)
        machine = TestMachine()
        driver = Driver(UsbTablet(machine), machine=machine)
        for _ in range(25):
            for _ in range(400):
                links = [dice.choice((0x3000, 0x4000, 0x4010, 0x20000, NOWHERE)) | dice.randrange(8) for _ in range(2)]
                pid = dice.choice((IN, OUT, SETUP, IN, dice.randrange(256)))
                token = pid | dice.choice((0, ADDRESS)) << 8 | dice.randrange(3) << 15 | dice.randrange(40) << 21
                control = dice.getrandbits(32) | ACTIVE
                driver.write32(0x1000 + 16 * dice.randrange(0x400), links[0], control, token, links[1])
            driver.reset_port()
            driver.out(dice.randrange(32), dice.getrandbits(16), dice.choice((1, 2, 4)))
            driver.out(BASE, LIST, 4)
            driver.out(COMMAND_REGISTER, 1)
            driver.frames(5)
        outcomes.append((driver.uhci.save(), bytes(machine.ram), driver.inp(STATUS)))
    assert outcomes[0] == outcomes[1]


# ---- state ----


def test_state_in_the_middle(driver: Driver) -> None:
    driver.configure(ADDRESS)
    tablet = driver.device
    tablet.accept(b"at 7 8\npress left\n")
    saved = driver.machine.save(), driver.uhci.save(), tablet.save()
    seen = [driver.look(ADDRESS), driver.look(ADDRESS), driver.look(ADDRESS)]
    driver.machine.load(saved[0])
    driver.uhci.load(saved[1])
    tablet.load(saved[2])
    driver.machine.deadlines = {name: (when, driver.uhci) for name, (when, _) in driver.machine.deadlines.items()}
    assert [driver.look(ADDRESS), driver.look(ADDRESS), driver.look(ADDRESS)] == seen and seen[2] is None


def test_remote_wakeup(driver: Driver) -> None:
    driver.configure(ADDRESS)
    driver.control(ADDRESS, 0x00, 3, 1)
    driver.out(PORTS, 0x1004)
    driver.out(STATUS, 0x3F)
    driver.device.accept(b"press left\n")
    assert driver.inp(PORTS) & 0x40 and driver.inp(STATUS) & 4 and driver.machine.pins["uhci"]


def test_at_most_two_devices() -> None:
    machine = TestMachine()
    with pytest.raises(ValueError, match="3 devices"):
        Uhci(machine, [UsbTablet(machine, f"tablet{n}") for n in range(3)])
