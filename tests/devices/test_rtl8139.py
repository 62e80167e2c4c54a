"""The RTL8139C as its drivers use it."""

import zlib

import pytest

from hv.devices.rtl8139 import Rtl8139
from tests.devices.e1000_driver import Wire
from tests.devices.machine import TestMachine

MAC, OTHER = b"\x52\x54\x00\x65\x43\x21", b"\x02\0\0\0\0\1"
FRAME = MAC + OTHER + b"\x88\xb5" + bytes(range(200))
IO, MEMORY, RING, DATA = 0xC100, 0xFEB00000, 0x10000, 0x40000
TSD, TSAD, RBSTART, CR, CAPR, CBR, IMR, ISR, TCR, RCR, TCTR, MPC = (
    0x10, 0x20, 0x30, 0x37, 0x38, 0x3A, 0x3C, 0x3E, 0x40, 0x44, 0x48, 0x4C,
)  # fmt: skip
EEPROM, TIMER, MSR, BMCR, BMSR = 0x50, 0x54, 0x58, 0x62, 0x64


class Driver:
    """The card, brought up as Linux does it; `rcr` says what it receives."""

    def __init__(self, rcr: int = 0x0E) -> None:
        self.machine = TestMachine()
        self.nic = Rtl8139(self.machine, "nic0", 4, MAC)
        self.wire = Wire(self.machine)
        self.wire.plug(self.nic)
        self.nic.config_write(0x10, 4, IO)
        self.nic.config_write(0x14, 4, MEMORY)
        self.nic.config_write(0x04, 2, 7)
        self.put(CR, 0x10, 1)
        assert self.get(CR, 1) == 1
        self.put(RBSTART, RING)
        self.put(CR, 0x0C, 1)
        self.put(RCR, rcr)
        self.put(TCR, 0x03000600)
        self.put(IMR, 0xE07F, 2)
        self.read = 0
        self.size = 8192 << (rcr >> 11 & 3)
        self.next = 0

    def get(self, register: int, size: int = 4) -> int:
        return self.machine.inp(IO + register, size)

    def put(self, register: int, value: int, size: int = 4) -> None:
        self.machine.out(IO + register, value, size)

    def send(self, frame: bytes) -> int:
        """Send a frame; its descriptor's status afterwards."""
        self.machine.ram[DATA : DATA + len(frame)] = frame
        self.put(TSAD + 4 * self.next, DATA)
        self.put(TSD + 4 * self.next, len(frame) | 0x3F0000)
        status = self.get(TSD + 4 * self.next)
        self.next = (self.next + 1) % 4
        return status

    def receive(self, wrap: bool = False) -> list[tuple[int, bytes]]:
        """What lies in the ring: (status, frame with check sequence)."""
        found = []
        while not self.get(CR, 1) & 1:
            ring = bytes(self.machine.ram[RING : RING + self.size])
            at = ring + ring if not wrap else bytes(self.machine.ram[RING : RING + self.size + 2048])
            status = int.from_bytes(at[self.read : self.read + 2], "little")
            length = int.from_bytes(at[self.read + 2 : self.read + 4], "little")
            found.append((status, at[self.read + 4 : self.read + 4 + length]))
            self.read = (self.read + 4 + length + 3 & ~3) % self.size
            self.put(CAPR, self.read - 16 & 0xFFFF, 2)
        return found


def eeprom(driver: Driver, address: int) -> int:
    """Read a word as Linux does."""
    driver.put(EEPROM, 0x80, 1)
    driver.put(EEPROM, 0x88, 1)
    for bit in f"110{address:06b}":
        data = 0x88 | (2 if bit == "1" else 0)
        driver.put(EEPROM, data, 1)
        driver.put(EEPROM, data | 4, 1)
    driver.put(EEPROM, 0x88, 1)
    word = 0
    for _ in range(16):
        driver.put(EEPROM, 0x8C, 1)
        word = word << 1 | driver.get(EEPROM, 1) & 1
        driver.put(EEPROM, 0x88, 1)
    driver.put(EEPROM, 0, 1)
    return word


def test_identity_and_address() -> None:
    driver = Driver()
    assert (driver.nic.config_read(0, 4), driver.nic.config_read(8, 4)) == (0x813910EC, 0x02000010)
    assert driver.get(TCR) & 0x7CC00000 == 0x74000000
    assert eeprom(driver, 0) == 0x8129
    assert b"".join(eeprom(driver, 7 + i).to_bytes(2, "little") for i in range(3)) == MAC
    assert bytes(driver.get(i, 1) for i in range(6)) == MAC
    assert driver.machine.memory.read(MEMORY, 4) == int.from_bytes(MAC[:4], "little")
    assert driver.get(BMSR, 2) & 0x24 == 0x24 and not driver.get(MSR, 1) & 4
    driver.nic.port = None
    assert not driver.get(BMSR, 2) & 4 and driver.get(MSR, 1) & 4


def test_the_address_changes_only_when_unlocked() -> None:
    driver = Driver()
    driver.put(0, 0x11223344)
    assert driver.get(0) == int.from_bytes(MAC[:4], "little")
    driver.put(EEPROM, 0xC0, 1)
    driver.put(0, 0x11223344)
    driver.put(0x52, 0xFF, 1)
    assert (driver.get(0), driver.get(0x52, 1)) == (0x11223344, 0xFE)
    driver.put(EEPROM, 0x40, 1)
    assert driver.get(0) == int.from_bytes(MAC[:4], "little")


def test_frames_are_sent_from_four_descriptors_in_turn() -> None:
    driver = Driver()
    for number in range(6):
        assert driver.send(FRAME[:14] + bytes((number,)) * 60) & 0xA000 == 0xA000
    assert [frame[14] for frame in driver.wire.frames] == list(range(6))
    assert driver.machine.pins["nic0"] and driver.get(ISR, 2) == 4
    driver.put(ISR, 4, 2)
    assert not driver.machine.pins["nic0"] and driver.get(ISR, 2) == 0
    assert driver.get(0x60, 2) == 0xF00F


def test_what_is_handed_over_early_waits() -> None:
    driver = Driver()
    driver.put(CR, 8, 1)
    driver.put(TSAD + 4, DATA)
    driver.put(TSD + 4, 60)
    driver.put(CR, 0x0C, 1)
    assert driver.wire.frames == []
    driver.send(FRAME)
    assert driver.wire.frames == [FRAME, FRAME[:60]]


def test_frames_lie_in_the_ring_behind_headers() -> None:
    driver = Driver()
    driver.nic.accept(FRAME)
    driver.nic.accept(b"\xff" * 6 + FRAME[6:30])
    assert driver.get(ISR, 2) == 1 and driver.get(CBR, 2) == 4 + 218 + 2 + 4 + 64
    (first, second) = driver.receive()
    assert first == (0x4001, FRAME + zlib.crc32(FRAME).to_bytes(4, "little"))
    assert second[0] == 0x2001 and len(second[1]) == 64
    assert driver.get(CR, 1) & 1


@pytest.mark.parametrize("rcr", [0x0E, 0x8E, 0x80E, 0x180E, 0x188E])
def test_frames_go_around_the_ring(rcr: int) -> None:
    driver = Driver(rcr)
    expected = []
    for number in range(200):
        frame = MAC + OTHER + b"\x88\xb5" + bytes((number,)) * (50 + number * 7)
        expected.append(frame)
        driver.nic.accept(frame)
        assert driver.receive(bool(rcr & 0x80) and driver.size < 65536) == [
            (0x4001, frame.ljust(60, b"\0") + zlib.crc32(frame.ljust(60, b"\0")).to_bytes(4, "little"))
        ]


def test_a_full_ring_loses_frames_or_has_them_wait_on_the_cable() -> None:
    driver = Driver()
    for _ in range(10):
        driver.nic.accept(FRAME[:14] + bytes(1400))
    assert driver.get(ISR, 2) == 0x11 and driver.get(MPC) == 5 and len(driver.receive()) == 5
    driver.put(MPC, 0)
    for number in range(10):
        driver.wire.deliver(FRAME[:14] + bytes((number,)) * 1400)
    seen: list[int] = []
    while frames := (driver.machine.advance(20_000), driver.receive())[1]:
        seen += [frame[14] for _, frame in frames]
    assert seen == list(range(10)) and driver.get(MPC) == 0


def test_a_driver_that_leaves_frames_behind_hears_of_those_that_wait() -> None:
    """Linux stops after 64 frames, their interrupt acknowledged, and looks again only if there is another."""
    driver = Driver()
    for _ in range(10):
        driver.wire.deliver(FRAME[:14] + bytes(1400))
    driver.machine.advance(20_000)
    assert driver.get(ISR, 2) == 0x11 and driver.machine.pins["nic0"] and driver.get(MPC) == 0
    driver.put(ISR, 0x11, 2)
    driver.put(CAPR, 60, 2)  # some more room, but not enough
    driver.machine.advance(100_000)
    assert driver.get(ISR, 2) == 0x10 and driver.machine.pins["nic0"]
    driver.put(ISR, 0x10, 2)
    driver.read = 0
    driver.put(CAPR, 0xFFF0, 2)
    assert len(driver.receive()) >= 5


def crc_bit(address: bytes) -> int:
    """The bit of the multicast register, by the textbook: polynomial 0x04c11db7, bits as on the wire."""
    crc = 0xFFFFFFFF
    for byte in address:
        for bit in range(8):
            carry = crc >> 31 ^ byte >> bit & 1
            crc = crc << 1 & 0xFFFFFFFF ^ (0x04C11DB7 if carry else 0)
    return crc >> 26


GROUP = b"\x01\0\x5e\x7f\x12\x34"


@pytest.mark.parametrize(("target", "rcr", "mar", "status"), [
    (MAC, 0x2, 0, 0x4001), (OTHER, 0x2, 0, None), (OTHER, 0x1, 0, 0x0001), (b"\xff" * 6, 0x6, 0, None),
    (b"\xff" * 6, 0x8, 0, 0x2001), (GROUP, 0xE, 0, None), (GROUP, 0xE, 1 << crc_bit(GROUP), 0x8001),
    (GROUP, 0xA, 1 << crc_bit(GROUP), None), (GROUP, 0x1, 0, 0x8001),
])  # fmt: skip
def test_filters(target: bytes, rcr: int, mar: int, status: int | None) -> None:
    driver = Driver(rcr)
    driver.put(8, mar & 0xFFFFFFFF)
    driver.put(12, mar >> 32)
    driver.nic.accept(target + OTHER + b"\x88\xb5" + bytes(50))
    assert [s for s, _ in driver.receive()] == ([] if status is None else [status])


def test_the_timer_counts_and_interrupts() -> None:
    driver = Driver()
    driver.put(TCTR, 0)
    driver.machine.advance(3000)
    assert driver.get(TCTR) == 100
    driver.put(TIMER, 200)
    driver.machine.advance(2999)
    assert driver.get(ISR, 2) == 0
    driver.machine.advance(1)
    assert driver.get(ISR, 2) == 0x4000
    driver.put(TIMER, 0)
    assert not driver.machine.deadlines


def test_loopback_and_oversized_frames() -> None:
    driver = Driver()
    driver.send(bytes(0x1FFF))
    assert driver.wire.frames == []
    driver.put(TCR, 0x03060600)
    driver.send(FRAME)
    assert driver.wire.frames == [] and driver.receive()[0][1][:-4] == FRAME
    driver.nic.accept(FRAME[:14] + bytes(1600))
    assert driver.receive() == []


def test_a_reset_keeps_the_address_and_drops_the_rest() -> None:
    driver = Driver()
    driver.nic.accept(FRAME)
    driver.put(CR, 0x10, 1)
    assert (driver.get(CR, 1), driver.get(ISR, 2), driver.get(TSD)) == (1, 0, 0x2000)
    assert not driver.machine.pins["nic0"] and driver.get(0) == int.from_bytes(MAC[:4], "little")
    driver.nic.accept(FRAME)
    assert driver.get(CR, 1) == 1


def test_random_accesses_and_saving_anywhere() -> None:
    """A copy that is loaded anew every hundred steps goes the same way."""
    first, second, random = Driver(), Driver(), 4711
    for step in range(20_000):
        random = random * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        offset, size, value = random >> 32 & 0xFF, 1 << (random >> 40) % 3, random >> 16 & 0xFFFFFFFF
        for driver in (first, second):
            if random >> 60 & 1:
                driver.put(offset, value & (1 << 8 * size) - 1, size)
            else:
                driver.get(offset, size)
            if step % 3 == 0:
                driver.nic.accept(random.to_bytes(8, "little") * (value % 200))
            if step % 100 == 0:
                driver.machine.advance(10_000)
                driver.wire.frames.clear()
        if step % 100 == 50:
            second.nic.load(second.nic.save())
    assert first.nic.save() == second.nic.save()
    assert first.machine.ram == second.machine.ram
    assert first.machine.pins == second.machine.pins
