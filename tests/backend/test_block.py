"""The back end of PV disks against a pretended driver: what it reads and writes, and what it refuses."""

from __future__ import annotations

import random

import pytest

from hv import abi
from hv.backend.block import MAX_RING_ORDER
from hv.backend.block_requests import MAX_INDIRECT_SEGMENTS
from hv.disk.image import MediumError
from hv.domain import Domain
from hv.native import lib
from hv.toolstack.backends import attach_disk
from tests.backend.frontend import BlockFront, Front, Ring, guest, numbered

READ, WRITE = int(abi.BLKIF_OP_READ), int(abi.BLKIF_OP_WRITE)
OKAY, ERROR, NOT_SUPPORTED = abi.BLKIF_RSP_OKAY, abi.BLKIF_RSP_ERROR, abi.BLKIF_RSP_EOPNOTSUPP
CONNECTED, CLOSING = abi.XenbusStateConnected, abi.XenbusStateClosing


@pytest.fixture
def domain() -> Domain:
    return guest().domain


def front(domain: Domain, abi_name: str = "x86_64", order: int = 0, **disk: bool) -> BlockFront:
    made = BlockFront(domain, attach_disk(domain, numbered(), **disk), abi_name, order)
    assert made.connect() == CONNECTED, made.error
    return made


@pytest.mark.parametrize("abi_name", ["x86_64", "x86_32"])
@pytest.mark.parametrize("order", range(MAX_RING_ORDER + 1))
def test_rings_of_both_layouts_and_several_pages(domain: Domain, abi_name: str, order: int) -> None:
    disk = front(domain, abi_name, order)
    page = disk.page()
    assert disk.pending(disk.port)  # as for any interdomain channel: look whether something was missed
    for turn in range(3):  # around the ring, and a full ring at once
        requests = [disk.request(READ, turn, [(page, 0, 0)], id=1 << 63 | i) for i in range(disk.ring.size)]
        assert disk.do(*requests) == [(1 << 63 | i, READ, OKAY) for i in range(disk.ring.size)]
        assert disk.pending(disk.port) and disk.read(page, 0, 8) == turn.to_bytes(8, "little")
    assert domain.hv.audit() == ""


def test_segments_are_parts_of_pages(domain: Domain) -> None:
    disk = front(domain)
    pages = [disk.page() for _ in range(11)]
    assert disk.status(disk.request(READ, 10, [(ref, i % 8, 7) for i, ref in enumerate(pages)])) == ERROR  # 65 > 54
    segments = [(ref, 3, 4) for ref in pages]
    assert disk.status(disk.request(READ, 10, segments)) == OKAY
    for i, ref in enumerate(pages):
        data = disk.read(ref)
        assert data[: 3 * 512] == bytes(3 * 512) and data[5 * 512 :] == bytes(3 * 512)
        assert [data[at] for at in (3 * 512, 4 * 512)] == [10 + 2 * i, 11 + 2 * i]


def test_writes_are_seen_and_stay_out_of_the_image(domain: Domain) -> None:
    disk = front(domain)
    page, out = disk.page(readonly=True), disk.page()
    disk.write(page, 0, bytes(range(256)) * 16)
    assert disk.status(disk.request(WRITE, 56, [(page, 0, 7)])) == OKAY
    assert disk.status(disk.request(READ, 55, [(out, 0, 7)])) == OKAY
    assert disk.read(out, 512, 7 * 512) == bytes(range(256)) * 14
    assert disk.status(disk.request(abi.BLKIF_OP_FLUSH_DISKCACHE, 0)) == OKAY
    assert numbered().read(56 * 512, 1) == bytes((56,))


def test_indirect_requests(domain: Domain) -> None:
    disk = front(domain)
    table = disk.page(readonly=True)
    refs = [disk.page() for _ in range(32)]
    disk.write(table, 0, b"".join(ref.to_bytes(4, "little") + bytes((1, 2, 0, 0)) for ref in refs))
    assert disk.do(disk.indirect(READ, 0, [table], 32)) == [(9, READ, OKAY)]
    assert [disk.read(ref, 512, 1)[0] for ref in refs] == list(range(0, 64, 2))
    for operation, count in ((READ, 0), (READ, MAX_INDIRECT_SEGMENTS + 1), (READ, 0xFFFF), (abi.BLKIF_OP_INDIRECT, 1),
                             (abi.BLKIF_OP_FLUSH_DISKCACHE, 1)):  # fmt: skip
        assert disk.status(disk.indirect(operation, 0, [table], count)) == ERROR
    disk.revoke(table)
    assert disk.status(disk.indirect(READ, 0, [table], 32)) == ERROR


def test_what_is_not_offered_is_refused(domain: Domain) -> None:
    disk = front(domain)
    page = disk.page()
    for operation in (abi.BLKIF_OP_WRITE_BARRIER, abi.BLKIF_OP_DISCARD, 4, 7, 255):
        assert disk.do(disk.request(operation, 0, [(page, 0, 0)])) == [(7, operation, NOT_SUPPORTED)]
    assert [disk.get(name) for name in ("feature-barrier", "feature-discard", "feature-persistent")] == ["0"] * 3
    assert (disk.get("feature-flush-cache"), disk.get("max-ring-page-order")) == ("1", "2")
    assert [disk.get(name) for name in ("sectors", "sector-size", "info", "mode")] == ["64", "512", "0", "w"]


def test_wrong_requests_are_errors_and_change_nothing(domain: Domain) -> None:
    disk = front(domain)
    page = disk.page()
    read_only = disk.page(readonly=True)
    foreign = disk.page(domid=5)
    table_page = disk.grant(int(domain.vcpus[0].c.cr3_kernel) >> 12)
    bad = [
        disk.request(READ, 0, [(page, 0, 8)]), disk.request(READ, 0, [(page, 3, 2)]),
        disk.request(READ, 0, [(page, 0, 255)]), disk.request(READ, 64, [(page, 0, 0)]),
        disk.request(READ, 60, [(page, 0, 7)]), disk.request(READ, (1 << 64) - 1, [(page, 0, 0)]),
        disk.request(READ, 0, []), disk.request(READ, 0, [(page, 0, 0)], count=12),
        disk.request(READ, 0, [(page, 0, 0)], count=255), disk.request(READ, 0, [(read_only, 0, 0)]),
        disk.request(READ, 0, [(foreign, 0, 0)]), disk.request(READ, 0, [(0xFFFFFFFF, 0, 0)]),
        disk.request(READ, 0, [(table_page, 0, 0)]), disk.request(WRITE, 64, [(page, 0, 0)]),
        disk.request(WRITE, 0, [(page, 0, 0), (foreign, 0, 0)]),
        disk.request(abi.BLKIF_OP_FLUSH_DISKCACHE, 0, [(page, 0, 0)]),
    ]  # fmt: skip
    before = disk.device.save()[2]
    assert [status for _, _, status in disk.do(*bad)] == [ERROR] * len(bad)
    assert disk.device.save()[2] is before and disk.read(page) == bytes(4096)
    assert disk.status(disk.request(READ, 1, [(page, 0, 0)])) == OKAY
    assert disk.entry_flags(page) == abi.GTF_permit_access and domain.hv.audit() == ""


def test_read_only_disks_and_cds(domain: Domain) -> None:
    for disk, info, kind in ((front(domain, read_only=True), 4, "disk"), (front(domain, cdrom=True), 5, "cdrom")):
        page = disk.page()
        assert disk.status(disk.request(WRITE, 0, [(page, 0, 0)])) == ERROR
        assert disk.status(disk.request(READ, 5, [(page, 0, 0)])) == OKAY and disk.read(page, 0, 1) == b"\x05"
        assert (disk.get("info"), disk.get("mode"), disk.get("device-type")) == (str(info), "r", kind)


def test_a_damaged_image_is_an_error_to_the_guest(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = front(domain)

    def damaged(sector: int, count: int) -> bytes:
        raise MediumError("unreadable")

    monkeypatch.setattr(disk.device.disk, "read", damaged)
    assert disk.status(disk.request(READ, 0, [(disk.page(), 0, 0)])) == ERROR


@pytest.mark.parametrize("ahead", [33, 1000, 1 << 31, (1 << 32) - 1])
def test_impossible_indices_break_the_ring(domain: Domain, ahead: int) -> None:
    disk = front(domain)
    disk.ring.set_index("req_prod", ahead)
    disk.send(disk.port)
    assert disk.get("state") == str(int(CLOSING)) and "requests are in a ring of 32" in disk.error
    disk.send(disk.port)  # nobody listens
    assert disk.state(abi.XenbusStateClosed) == abi.XenbusStateClosed
    assert disk.state(abi.XenbusStateInitialising) == abi.XenbusStateInitWait
    assert disk.connect() == CONNECTED and domain.hv.audit() == ""


def test_a_ring_that_was_taken_back_is_broken(domain: Domain) -> None:
    disk = front(domain, order=2)
    disk.revoke(disk.ring.refs[2])
    disk.ring.push(disk.request(abi.BLKIF_OP_FLUSH_DISKCACHE, 0))
    disk.send(disk.port)
    assert disk.get("state") == str(int(CLOSING)) and f"grant {disk.ring.refs[2]}" in disk.error
    assert domain.hv.audit() == ""


def test_requests_that_read_into_the_ring_come_to_an_end(domain: Domain) -> None:
    disk = front(domain)
    page = disk.page()
    # a sector that is the head of a ring with as many requests in it as it can have, and the same request again
    again = disk.request(READ, 3, [(disk.ring.refs[0], 0, 0)])
    head = (64).to_bytes(4, "little") + bytes(60) + again * 4
    disk.write(page, 0, head.ljust(512, b"\0"))
    assert disk.status(disk.request(WRITE, 3, [(page, 0, 0)])) == OKAY
    disk.ring.push(again)
    disk.send(disk.port)
    disk.send(disk.port)
    assert domain.hv.audit() == "" and disk.device.xenbus in (CONNECTED, CLOSING)


@pytest.mark.parametrize("seed", range(12))
def test_noise(seed: int) -> None:
    """Anything in the ring, the nodes, the grants and the states: no exception, audited, and a proper driver works."""
    rng = random.Random(seed)
    domain = guest().domain
    disk = BlockFront(domain, attach_disk(domain, numbered()), rng.choice(["x86_64", "x86_32"]), rng.randrange(3))
    disk.connect()
    pages = [disk.page() for _ in range(4)] + [disk.page(readonly=True)]

    def noisy_ring() -> None:
        disk.ring.put_bytes(64, rng.randbytes(400))
        disk.ring.set_index("req_prod", disk.ring.index("rsp_prod") + rng.choice([0, 1, 5, 31, 32, 33, 1 << 31]))

    def likely_requests() -> None:
        segments = [(rng.choice([*pages, *disk.ring.refs, rng.getrandbits(32)]), rng.randrange(9), rng.randrange(9))
                    for _ in range(rng.randrange(12))]  # fmt: skip
        operation = rng.choice([READ, WRITE, 6, rng.randrange(256)])
        request = disk.request(operation, rng.choice([0, 5, 63, rng.getrandbits(64)]), segments)
        disk.ring.req_prod = disk.ring.index("rsp_prod")
        disk.ring.push(request)

    def grants() -> None:
        frame = rng.choice([0, 1, rng.getrandbits(32), *disk.kept.values()])
        disk.set_entry(rng.choice([*pages, *disk.ring.refs]), rng.getrandbits(3), rng.choice([0, 0, 1]), frame)

    def nodes() -> None:
        name = rng.choice(["ring_ref", "ring_ref0", "event_channel", "protocol", "ring_page_order", "state"])
        disk.set(**{name: rng.choice(["", "x", "4294967295", "99999999999", "-1", "0", "3", "4", "5", "6", "1",
                                      str(disk.port), str(disk.ring.refs[0]), "\u00b2", "x86_32-abi"])})  # fmt: skip

    for _ in range(150):
        rng.choice([noisy_ring, likely_requests, likely_requests, grants, nodes])()
        disk.send(rng.choice([disk.port, disk.port, rng.randrange(40)]))
    assert domain.hv.audit() == ""
    for state in (abi.XenbusStateClosing, abi.XenbusStateClosed, abi.XenbusStateInitialising):
        disk.state(state)
    disk.set(ring_page_order=0)
    fresh = BlockFront(domain, disk.device, disk.abi_name, disk.order)
    fresh.kept, fresh._next = disk.kept, disk._next
    assert fresh.connect() == CONNECTED, fresh.error
    page = fresh.page()
    assert fresh.status(fresh.request(READ, 9, [(page, 0, 0)])) == OKAY


def test_nothing_is_held_between_events(domain: Domain) -> None:
    disk = front(domain)
    page = disk.page()
    disk.status(disk.request(READ, 1, [(page, 0, 0)]))
    for ref in (page, *disk.ring.refs):
        assert disk.entry_flags(ref) == abi.GTF_permit_access
        assert lib.hv_pages(domain.hv.native)[disk.kept[ref]].ref_info & lib.PGC_COUNT_MASK == 1


def test_ports_of_other_back_ends_are_not_to_be_had(domain: Domain) -> None:
    disk = BlockFront(domain, attach_disk(domain, numbered()))
    port = int(domain.c.store_port)
    disk.ring, disk.port = Ring(disk, 1, disk.layout.entry), port
    disk.name_ring()
    disk.set(event_channel=port)
    assert disk.state(abi.XenbusStateInitialised) == CLOSING and "another back end" in disk.error
    assert isinstance(disk, Front) and port in domain.host_ports
