"""The 82540EM as its drivers use it; dpkt judges the frames that it makes."""

import struct
import zlib

import dpkt
import pytest

from hv.devices.e1000 import E1000
from hv.net.checksum import checksum, pseudo_header
from tests.devices.e1000_driver import (
    BASE,
    CTRL,
    EECD,
    EERD,
    EOP,
    IC,
    ICR,
    ICS,
    IMC,
    IMS,
    IO,
    ITR,
    MAC,
    MDIC,
    MTA,
    RA,
    RCTL,
    RDH,
    RDT,
    RXCSUM,
    STATUS,
    TDH,
    TDT,
    TX_DATA,
    TX_RING,
    VFTA,
    VLE,
    Driver,
    context,
)  # fmt: skip
from tests.devices.machine import TestMachine

OTHER = b"\x02\0\0\0\0\1"
FRAME = MAC + OTHER + b"\x88\xb5" + bytes(range(200))


# ---- what a driver's probe sees ----


def test_pci_identity_and_windows() -> None:
    nic = Driver(up=False).nic
    assert (nic.config_read(0, 4), nic.config_read(8, 4) >> 8, nic.config_read(0x3D, 1)) == (0x100E8086, 0x020000, 1)
    nic.config_write(0x10, 4, 0xFFFFFFFF)
    nic.config_write(0x14, 4, 0xFFFFFFFF)
    assert (nic.config_read(0x10, 4), nic.config_read(0x14, 4)) == (0xFFFE0000, 0xFFFFFFC1)


def microwire(driver: Driver, address: int) -> int:
    """Read a word as Linux does, bit by bit."""
    driver.put(EECD, 0x40)
    assert driver.get(EECD) & 0x80
    driver.put(EECD, 0x42)
    for bit in f"110{address:06b}":
        data = 0x42 | (4 if bit == "1" else 0)
        driver.put(EECD, data)
        driver.put(EECD, data | 1)
        driver.put(EECD, data)
    word = 0
    for _ in range(16):
        driver.put(EECD, 0x43)
        word = word << 1 | (driver.get(EECD) >> 3 & 1)
        driver.put(EECD, 0x42)
    driver.put(EECD, 0)
    return word


def test_the_eeprom_has_the_address_and_the_right_sum() -> None:
    driver = Driver(up=False)
    words = [microwire(driver, i) for i in range(64)]
    assert b"".join(w.to_bytes(2, "little") for w in words[:3]) == MAC
    assert sum(words) & 0xFFFF == 0xBABA
    driver.put(EERD, 2 << 8 | 1)
    assert driver.get(EERD) == words[2] << 16 | 0x210


def test_the_transceiver_says_that_the_link_is_up() -> None:
    driver = Driver(up=False)

    def phy(register: int) -> int:
        driver.put(MDIC, 2 << 26 | 1 << 21 | register << 16)
        value = driver.get(MDIC)
        assert value >> 28 & 5 == 1
        return value & 0xFFFF
    assert (phy(2) << 16 | phy(3)) & ~0xF == 0x01410C20
    assert phy(1) & 0x24 == 0x24 and phy(17) & 0xC400 == 0x8400
    assert driver.get(STATUS) & 0xC3 == 0x83
    driver.put(MDIC, 2 << 26 | 2 << 21)
    assert driver.get(MDIC) >> 30 == 1
    driver.put(IMS, 4)
    driver.put(MDIC, 1 << 26 | 1 << 21 | 0x1200)
    assert driver.get(ICR) == 4


def test_without_a_cable_there_is_no_link() -> None:
    driver = Driver(up=False)
    driver.nic.port = None
    assert not driver.get(STATUS) & 2


def test_registers_by_io_ports() -> None:
    driver = Driver(up=False)
    driver.machine.out(IO, STATUS, 4)
    assert driver.machine.inp(IO + 4, 4) == driver.get(STATUS)
    driver.machine.out(IO, RA + 8, 4)
    driver.machine.out(IO + 4, 0x12345678, 4)
    assert driver.get(RA + 8) == 0x12345678
    driver.machine.out(IO, 0x1FFFD, 4)
    driver.machine.out(IO + 4, 1, 4)
    assert driver.machine.inp(IO + 4, 4) == 0


# ---- sending ----


def test_a_frame_by_a_legacy_descriptor() -> None:
    driver = Driver()
    assert driver.send(FRAME)[12] == 1
    assert driver.wire.frames == [FRAME] and driver.get(TDH) == 1
    assert driver.machine.pins["nic0"] and driver.get(ICR) == 3
    assert not driver.machine.pins["nic0"]
    assert driver.send(FRAME[:20], EOP)[12] == 0
    assert driver.wire.frames[1] == FRAME[:20].ljust(60, b"\0")


def test_a_frame_in_pieces_and_around_the_rings_end() -> None:
    driver = Driver()
    for _ in range(6):
        driver.send(FRAME)
    driver.poke(TX_DATA, FRAME)
    driver.describe(*(struct.pack("<QHBBI", TX_DATA + at, 100, 0, EOP if at == 100 else 0, 0) for at in (0, 100)),
                    struct.pack("<QHBBI", TX_DATA, 60, 0, EOP, 0))
    assert driver.wire.frames[6:] == [FRAME[:200], FRAME[:60]] and driver.get(TDH) == 1


def test_a_checksum_by_a_legacy_descriptor() -> None:
    driver = Driver()
    driver.send(FRAME[:50] + b"\0\0" + FRAME[52:], EOP | IC, cso=50, css=14)
    assert checksum(driver.wire.frames[0][14:]) == 0
    driver.send(FRAME, EOP | IC, cso=250, css=14)
    driver.send(FRAME, EOP | IC, cso=20, css=255)
    assert driver.wire.frames[1:] == [FRAME, FRAME]


def tcp_packet(length: int, version: int = 4) -> bytes:
    """What Linux gives a card: no checksums, but the pseudo header's without a length."""
    segment = dpkt.tcp.TCP(sport=1, dport=2, seq=0xFFFFF000, ack=3, flags=0x99, win=4)
    if version == 4:
        source, target = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
        ip: bytes = struct.pack(">BBHHHBBH", 0x45, 0, 0, 0xFFFE, 0x4000, 64, 6, 0) + source + target
    else:
        source, target = b"\xfd" + bytes(15), b"\xfd" + bytes(14) + b"\1"
        ip = struct.pack(">IHBB", 0x60000000, 0, 6, 64) + source + target
    partial = 0xFFFF - checksum(pseudo_header(source, target, 6, 0))
    header = bytes(segment)[:16] + partial.to_bytes(2, "big") + b"\0\0"
    kind = b"\x08\0" if version == 4 else b"\x86\xdd"
    return OTHER + MAC + kind + ip + header + bytes(i * 7 & 0xFF for i in range(length))


def test_checksums_of_one_packet() -> None:
    driver = Driver()
    packet = bytearray(tcp_packet(301))
    packet[16:18] = (341).to_bytes(2, "big")
    pseudo = 0xFFFF - checksum(pseudo_header(packet[26:30], packet[30:34], 6, 321))
    packet[50:52] = pseudo.to_bytes(2, "big")
    driver.offload(bytes(packet), context(command=0x23), False)
    frame = driver.wire.frames[0]
    assert checksum(frame[14:34]) == 0
    assert checksum(pseudo_header(frame[26:30], frame[30:34], 6, 321) + frame[34:]) == 0
    driver.offload(bytes(packet), context(command=0x23), False, popts=0)
    assert driver.wire.frames[1] == packet


@pytest.mark.parametrize("version", [4, 6])
def test_a_large_segment_is_cut(version: int) -> None:
    driver = Driver(ring=32)
    packet = tcp_packet(64000, version)
    header = 54 if version == 4 else 74
    made = context(payload=64000, header=header, mss=1448)
    if version == 6:
        made = struct.pack("<BBHBBHIBBH", 14, 0, 53, 54, 70, 0, 64000 | 0x25 << 24, 0, header, 1448)
    driver.offload(packet, made, True, 3 if version == 4 else 2)
    driver.machine.advance(10**6)
    frames = driver.wire.frames
    assert len(frames) == 45 and driver.get(0x40F8) == 1
    data = b""
    for number, frame in enumerate(frames):
        ip = dpkt.ethernet.Ethernet(frame).data
        tcp = ip.data
        data += tcp.data
        last = number == 44
        assert (ip.len if version == 4 else ip.plen + 40) == len(frame) - 14
        assert tcp.seq == (0xFFFFF000 + 1448 * number) & 0xFFFFFFFF
        assert tcp.flags == (0x90 if number == 0 else 0x19 if last else 0x10)
        if version == 4:
            assert ip.id == (0xFFFE + number) & 0xFFFF and checksum(frame[14:34]) == 0
        upper = frame[header - 20 :]
        assert checksum(pseudo_header(ip.src, ip.dst, 6, len(upper)) + upper) == 0
    assert data == packet[header:]


def test_vlan_tags_are_put_in() -> None:
    driver = Driver()
    driver.put(CTRL, 1 << 30)
    driver.send(FRAME, EOP | VLE, special=0x2005)
    assert driver.wire.frames == [FRAME[:12] + b"\x81\0\x20\5" + FRAME[12:]]
    driver.put(CTRL, 0)
    driver.send(FRAME, EOP | VLE, special=0x2005)
    assert driver.wire.frames[1] == FRAME


def test_nothing_is_sent_while_the_transmitter_is_off_or_the_card_may_not_read_memory() -> None:
    driver = Driver()
    driver.put(0x400, 0)
    driver.send(FRAME)
    assert driver.wire.frames == [] and driver.get(TDH) == 0
    driver.put(0x400, 2)
    assert driver.wire.frames == [FRAME]
    driver.nic.config_write(4, 2, 3)
    driver.send(FRAME)
    assert driver.peek(TX_RING + 16 + 12, 1) == b"\0"


# ---- receiving ----


def test_a_frame_arrives_with_its_check_sequence() -> None:
    driver = Driver()
    driver.nic.accept(FRAME)
    ((data, status, errors, special),) = driver.receive()
    assert (data, status, errors, special) == (FRAME + zlib.crc32(FRAME).to_bytes(4, "little"), 3, 0, 0)
    assert driver.machine.pins["nic0"] and driver.get(ICR) == 0x80
    driver.put(RCTL, 0x4008002)
    driver.nic.accept(FRAME[:30])
    assert driver.receive()[0][0] == FRAME[:30].ljust(60, b"\0")


def test_a_long_frame_takes_several_buffers() -> None:
    driver = Driver()
    frame = FRAME[:14] + bytes(5000)
    driver.nic.accept(frame)
    assert driver.receive() == [] and driver.get(0x40AC) == 1
    driver.put(RCTL, 0x4008022)
    driver.nic.accept(frame)
    pieces = driver.receive()
    assert [(len(p[0]), p[1]) for p in pieces] == [(2048, 1), (2048, 1), (918, 3)]
    assert b"".join(p[0] for p in pieces) == frame


def test_buffer_sizes() -> None:
    frame = FRAME[:14] + bytes(16000)
    for rctl, size in ((0x10000, 1024), (0x20000, 512), (0x30000, 256), (0x2010000, 16384), (0x2020000, 8192)):
        driver = Driver(up=False, ring=96)
        driver.up(0x4008022 | rctl, 8192)
        driver.nic.accept(frame)
        assert driver.receive()[0][0] == frame[:size]


def test_a_full_ring_loses_frames_and_says_so() -> None:
    driver = Driver()
    for number in range(9):
        driver.nic.accept(MAC + OTHER + b"\x88\xb5" + bytes((number,)) * 50)
    assert driver.get(ICR) & 0x50 == 0x50
    assert driver.get(0x4010) == 2 and driver.get(0x4010) == 0 and driver.get(0x4074) == 7
    assert [p[0][14] for p in driver.receive()] == list(range(7))


def test_on_its_cable_frames_wait_for_buffers() -> None:
    driver = Driver()
    for number in range(20):
        driver.wire.deliver(MAC + OTHER + b"\x88\xb5" + bytes((number,)) * 50)
    found: list[int] = []
    while pieces := (driver.machine.advance(20_000), driver.receive())[1]:
        found += [p[0][14] for p in pieces]
    assert found == list(range(20)) and driver.get(0x4010) == 0


def multicast_bit(mac: bytes) -> tuple[int, int]:
    index = (mac[4] | mac[5] << 8) >> 4 & 0xFFF
    return MTA + 4 * (index >> 5), 1 << (index & 31)


@pytest.mark.parametrize(("target", "rctl", "extra", "taken"), [
    (MAC, 0x2, None, True),
    (OTHER, 0x2, None, False),
    (OTHER, 0xA, None, True),
    (OTHER, 0x2, "address", True),
    (b"\xff" * 6, 0x2, None, False),
    (b"\xff" * 6, 0x8002, None, True),
    (b"\x01\0\x5e\0\0\x16", 0x8002, None, False),
    (b"\x01\0\x5e\0\0\x16", 0x8012, None, True),
    (b"\x01\0\x5e\0\0\x16", 0x8002, "table", True),
    (MAC, 0x0, None, False),
])  # fmt: skip
def test_filters(target: bytes, rctl: int, extra: str | None, taken: bool) -> None:
    driver = Driver()
    driver.put(RCTL, rctl)
    if extra == "address":
        driver.put(RA + 24, int.from_bytes(target[:4], "little"))
        driver.put(RA + 28, int.from_bytes(target[4:], "little") | 1 << 31)
    if extra == "table":
        driver.put(*multicast_bit(target))
    driver.nic.accept(target + OTHER + b"\x88\xb5" + bytes(50))
    assert bool(driver.receive()) is taken


def test_vlans_are_filtered_and_tags_taken_out() -> None:
    driver = Driver()
    driver.put(RCTL, 0x4048002)
    driver.put(CTRL, 1 << 30)
    tagged = FRAME[:12] + b"\x81\0\x20\x25" + FRAME[12:]
    driver.nic.accept(tagged)
    assert driver.receive() == []
    driver.put(VFTA + 4, 1 << 5)
    driver.nic.accept(tagged)
    assert driver.receive() == [(FRAME, 0x0B, 0, 0x2025)]
    driver.put(CTRL, 0)
    driver.nic.accept(tagged)
    assert driver.receive() == [(tagged, 0x03, 0, 0)]


def test_checksums_are_checked_when_asked_for() -> None:
    driver = Driver()
    good = dpkt.ethernet.Ethernet(dst=MAC, src=OTHER, data=dpkt.ip.IP(
        src=bytes(4), dst=b"\1\2\3\4", p=17, data=dpkt.udp.UDP(sport=1, dport=2, ulen=11, data=b"abc")))  # fmt: skip
    good.data.len = len(good.data)
    frame = bytes(good)
    driver.nic.accept(frame)
    driver.put(RXCSUM, 0x300)
    driver.nic.accept(frame)
    driver.nic.accept(frame[:-1] + b"X")
    driver.nic.accept(frame[:24] + b"\0\0" + frame[26:])
    driver.nic.accept(FRAME)
    assert [(p[1], p[2]) for p in driver.receive()] == [(3, 0), (0x73, 0), (0x73, 0x20), (0x73, 0x40), (3, 0)]


def test_loopback() -> None:
    driver = Driver()
    driver.put(RCTL, 0x8042 | 0x80)
    driver.send(FRAME)
    assert driver.wire.frames == [] and driver.receive()[0][0][:-4] == FRAME


# ---- interrupts ----


def test_masks() -> None:
    driver = Driver()
    driver.put(IMC, 0xFFFFFFFF)
    driver.put(ICS, 0x10)
    assert not driver.machine.pins.get("nic0")
    driver.put(IMS, 0x10)
    assert driver.machine.pins["nic0"] and driver.get(IMS) == 0x10
    driver.put(IMC, 0x10)
    assert not driver.machine.pins["nic0"]
    driver.put(IMS, 0x10)
    driver.put(ICR, 0x10)
    assert not driver.machine.pins["nic0"] and driver.get(ICR) == 0


def test_interrupts_are_spaced() -> None:
    driver = Driver()
    driver.put(ITR, 1000)
    driver.put(ICS, 1)
    assert driver.machine.pins["nic0"]
    driver.get(ICR)
    driver.put(ICS, 1)
    driver.machine.advance(255_999)
    assert not driver.machine.pins["nic0"]
    driver.machine.advance(1)
    assert driver.machine.pins["nic0"] and driver.get(ICR) == 1
    driver.machine.advance(10**9)
    assert not driver.machine.pins["nic0"] and not driver.machine.deadlines


def test_a_reset_by_software_keeps_the_place_and_the_address() -> None:
    driver = Driver()
    driver.put(RA, 1)
    driver.put(ICS, 1)
    driver.put(CTRL, 1 << 26)
    assert not driver.machine.pins["nic0"]
    assert driver.get(CTRL) & 1 << 26 == 0 and driver.get(RCTL) == 0
    assert driver.get(RA) == int.from_bytes(MAC[:4], "little")


# ---- hostile guests, and time ----


def test_a_ring_of_large_packets_costs_no_access_much() -> None:
    """65,536 descriptors of 16 KiB: a gigabyte that one write asks for."""
    driver = Driver()
    driver.put(0x3808, 0xFFF80)
    driver.machine.ram[:] = struct.pack("<QII", 0, 0x4000 | EOP << 24, 0) * (len(driver.machine.ram) // 16)
    driver.put(0x3800, 0)
    driver.put(TDT, 0xFFF0)
    assert 0 < driver.get(TDH) <= 256 and len(driver.wire.frames) <= 256
    before = driver.get(TDH)
    driver.put(TDT, 0xFFF1)
    assert driver.get(TDH) == before
    driver.machine.advance(10_000)
    assert before < driver.get(TDH) <= before + 256


@pytest.mark.parametrize(("head", "tail", "length"), [(0, 9, 128), (9, 3, 128), (0xFFFF, 5, 128), (0, 5, 0)])
def test_indices_outside_the_ring_send_nothing(head: int, tail: int, length: int) -> None:
    driver = Driver()
    driver.put(0x3808, length)
    driver.put(TDH, head)
    driver.put(TDT, tail)
    driver.put(0x2808, length)
    driver.put(RDH, head)
    driver.put(RDT, tail)
    driver.nic.accept(FRAME)
    assert driver.wire.frames == [] and not driver.machine.deadlines


@pytest.mark.parametrize("mss", [0, 1, 63])
def test_tiny_segments_are_not_made(mss: int) -> None:
    driver = Driver(ring=32)
    driver.offload(tcp_packet(64000), context(payload=64000, mss=mss), True)
    assert driver.wire.frames == [] and driver.nic.state.packet == b""


def test_contexts_that_point_anywhere() -> None:
    driver = Driver(ring=64)
    for seed in range(300):
        odd = zlib.crc32(seed.to_bytes(2, "little")).to_bytes(4, "little") * 4
        made = bytearray(odd)
        made[10] &= 0x0F
        made[11] |= 0x20
        driver.offload(tcp_packet(900), bytes(made), bool(seed & 1), seed & 3)
        driver.machine.advance(10**6)
    assert driver.get(TDH) == driver.get(TDT)


def test_a_packet_without_an_end_is_bounded() -> None:
    driver = Driver()
    for _ in range(100):
        driver.describe(*[struct.pack("<QII", TX_DATA, 0xFFFF, 0)] * 4)
        driver.machine.advance(10**6)
    assert len(driver.nic.state.packet) <= (64 << 10) + 512


def test_saved_in_the_middle_of_a_packet_it_goes_on_in_the_same_way() -> None:
    driver, packet = Driver(ring=32), tcp_packet(20_000)
    driver.poke(TX_DATA, packet)
    driver.describe(context(payload=20_000, mss=1000))
    first = struct.pack("<QIBBH", TX_DATA, 12_000 | 1 << 20 | 0x2C << 24, 0, 3, 0)
    driver.describe(first)
    saved, ram = driver.nic.save(), bytes(driver.machine.ram)
    rest = struct.pack("<QIBBH", TX_DATA + 12_000, len(packet) - 12_000 | 1 << 20 | 0x2D << 24, 0, 0, 0)
    driver.describe(rest)
    other = Driver(up=False, ring=32)
    other.machine.ram[:] = ram
    other.nic.load(saved)
    other.tail = 2
    other.describe(rest)
    assert driver.wire.frames == other.wire.frames and len(other.wire.frames) == 20
    assert driver.nic.save() == other.nic.save() and driver.nic.canonical() == other.nic.canonical()


def test_random_accesses_are_answered_and_repeatable() -> None:
    """Numbers to any register, by all widths, with whatever lies in memory as descriptors."""
    states = []
    for _ in range(2):
        driver, random = Driver(), 12345
        noise = bytes(zlib.adler32(i.to_bytes(2, "little")) >> 3 & 0xFF for i in range(65536))
        driver.machine.ram[:] = noise * 16
        interesting = (0, 0x100, 0x400, 0x2800, 0x2808, 0x2818, 0x3800, 0x3808, 0x3810, 0x3818, 0xC4, 0xD0, 0x5000)
        for step in range(30_000):
            random = random * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
            value = random >> 32
            offset = interesting[value % 13] if step & 1 else value & 0x1FFFC
            if step % 5 == 0:
                driver.machine.memory.read(BASE + offset, 1 << (value & 3))
            else:
                driver.machine.memory.write(BASE + offset, 1 << (value & 3), random >> 16 & 0xFFFFFFFF)
            if step % 7 == 0:
                driver.nic.accept(random.to_bytes(8, "little") * 20)
            if step % 100 == 0:
                driver.machine.advance(50_000)
                driver.wire.frames.clear()
        states.append((driver.nic.save(), driver.machine.deadlines.keys()))
    assert states[0] == states[1]


def test_the_reset_line_keeps_what_was_written_to_the_eeprom() -> None:
    nic = E1000(TestMachine(), "nic0", 4, MAC)
    nic.state.eeprom = nic.state.eeprom._replace(words=(7,) * 64)
    nic.reset()
    assert nic.state.addresses[0] == 0x70007 and nic.config_read(0, 4) == 0x100E8086
