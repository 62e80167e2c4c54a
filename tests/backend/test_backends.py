"""PV devices as a part of a domain: nodes, states, attaching and detaching, snapshots, forks."""

from __future__ import annotations

import pytest

from hv import abi
from hv.disk.image import SECTOR
from hv.domain import Domain
from hv.native import lib
from hv.net.options import NicOptions
from hv.toolstack.backends import attach_disk, attach_nic, backends_of, detach_disk, detach_nic
from tests.backend.frontend import BlockFront, NetFront, guest, numbered

READ, WRITE, OKAY = int(abi.BLKIF_OP_READ), int(abi.BLKIF_OP_WRITE), abi.BLKIF_RSP_OKAY
INIT_WAIT, CONNECTED = abi.XenbusStateInitWait, abi.XenbusStateConnected
CLOSING, CLOSED = abi.XenbusStateClosing, abi.XenbusStateClosed
LAN = NicOptions(switch="lan")


def node(domain: Domain, path: str) -> str:
    return backends_of(domain).store.read(domain.domid, path).decode()


def front(domain: Domain, name: str | None = None) -> BlockFront:
    made = BlockFront(domain, attach_disk(domain, numbered(), name=name))
    assert made.connect() == CONNECTED, made.error
    return made


def written(disk: BlockFront, sector: int, byte: int) -> None:
    page = disk.page()
    disk.write(page, 0, bytes((byte,)) * SECTOR)
    assert disk.status(disk.request(WRITE, sector, [(page, 0, 0)])) == OKAY


def first_byte(disk: BlockFront, sector: int) -> int:
    page = disk.page()
    assert disk.status(disk.request(READ, sector, [(page, 0, 0)])) == OKAY
    return disk.read(page, 0, 1)[0]


def test_nodes_are_those_of_xens_toolstack() -> None:
    domain = guest().domain
    attach_disk(domain, numbered())
    attach_disk(domain, numbered(), name="xvdq", cdrom=True)
    attach_nic(domain, LAN)
    back, device = "/local/domain/0/backend", "/local/domain/1/device"
    store = backends_of(domain).store
    assert [store.directory(1, f"{device}/{kind}") for kind in ("vbd", "vif")] == [("51712", "268439552"), ("0",)]
    for path, value in {
        f"{device}/vbd/51712/backend": f"{back}/vbd/1/51712", f"{device}/vbd/51712/backend-id": "0",
        f"{device}/vbd/51712/state": "1", f"{device}/vbd/51712/virtual-device": "51712",
        f"{device}/vbd/51712/device-type": "disk", f"{back}/vbd/1/51712/frontend": f"{device}/vbd/51712",
        f"{back}/vbd/1/51712/frontend-id": "1", f"{back}/vbd/1/51712/state": "2", f"{back}/vbd/1/51712/online": "1",
        f"{back}/vbd/1/51712/params": "raw:numbered", f"{back}/vbd/1/51712/dev": "xvda",
        f"{back}/vbd/1/268439552/device-type": "cdrom", f"{back}/vbd/1/268439552/mode": "r",
        f"{device}/vif/0/handle": "0", f"{back}/vif/1/0/bridge": "lan",
        f"{device}/vif/0/mac": node(domain, f"{back}/vif/1/0/mac"),
    }.items():  # fmt: skip
        assert node(domain, path) == value, path
    assert [str(one) for one in store.permissions(0, f"{device}/vbd/51712/state")] == ["n1", "r0"]
    assert [str(one) for one in store.permissions(0, f"{back}/vbd/1/51712/state")] == ["n0", "r1"]


def test_a_driver_that_closes_and_another_that_begins() -> None:
    domain = guest().domain
    disk = front(domain)
    written(disk, 3, 0xAB)
    assert disk.state(CLOSING) == CLOSING and disk.state(CLOSED) == CLOSED
    disk.send(disk.port)  # the channel is unbound: nobody hears it
    assert disk.port not in domain.host_ports and disk.device.link is None
    assert disk.state(abi.XenbusStateInitialising) == INIT_WAIT
    disk.order = 0
    assert disk.connect() == CONNECTED and first_byte(disk, 3) == 0xAB


def test_states_out_of_order() -> None:
    domain = guest().domain
    disk = BlockFront(domain, attach_disk(domain, numbered()))
    assert disk.state(abi.XenbusStateConnected) == CLOSING and "missing" in disk.error  # no ring
    assert disk.state(abi.XenbusStateInitialising) == CLOSING  # it has to close first
    assert disk.state(CLOSED) == CLOSED
    for nonsense in ("9", "-1", "4294967300", "x", ""):
        disk.set(state=nonsense)
    assert disk.get("state") == str(int(CLOSED))
    assert disk.state(abi.XenbusStateInitialising) == INIT_WAIT and disk.connect() == CONNECTED
    assert disk.state(abi.XenbusStateInitialising) == CONNECTED  # a driver that begins anew must close


def test_a_front_end_that_removes_its_nodes() -> None:
    domain = guest().domain
    disk = front(domain)
    backends = backends_of(domain)
    backends.store.remove(domain.domid, disk.device.front)
    backends.flush()
    assert disk.get("state") == str(int(CLOSED)) and disk.device.link is None


def test_detach_waits_for_the_guest() -> None:
    domain = guest().domain
    disk = front(domain)
    detach_disk(domain, "xvda")
    assert (disk.get("state"), disk.get("online")) == (str(int(CLOSING)), "0")
    assert first_byte(disk, 5) == 5  # it may finish what it is at
    disk.state(CLOSING)
    disk.set(state=int(CLOSED))
    backends = backends_of(domain)
    assert backends.devices == {} and disk.get("state") == ""
    assert backends.store.directory(0, "/local/domain/1/device/vbd") == ()
    with pytest.raises(ValueError, match="xvda: the domain has no such device"):
        detach_disk(domain, "xvda")
    again = front(domain)
    assert again.device.token == disk.device.token and first_byte(again, 6) == 6


def test_force_detach_and_names() -> None:
    domain = guest().domain
    front(domain)
    front(domain)
    attach_nic(domain, LAN)
    with pytest.raises(ValueError, match="xvdb: the domain has such a disk"):
        attach_disk(domain, numbered(), name="xvdb")
    with pytest.raises(ValueError, match="sda: not a PV disk"):
        attach_disk(domain, numbered(), name="sda")
    detach_disk(domain, "xvda", force=True)
    detach_nic(domain, 0, force=True)
    assert list(backends_of(domain).devices) == ["vbd/1/51728"] and "vif0-net" not in domain.services
    assert domain.timers == {} and domain.hv.networks.switch("lan").ports == []
    assert attach_disk(domain, numbered()).number == 51712


def test_there_are_as_many_interfaces_as_timers() -> None:
    domain = guest().domain
    timers = int(lib.HV_TIMERS)
    for _ in range(timers):
        attach_nic(domain, LAN)
    with pytest.raises(ValueError, match="has no timer"):
        attach_nic(domain, LAN)
    assert len(domain.hv.networks.switch("lan").ports) == len(backends_of(domain).devices) == timers


def test_snapshots_in_the_middle_of_reading_and_writing() -> None:
    domain = guest().domain
    hv = domain.hv
    disk = front(domain)
    written(disk, 1, 0x11)
    page = disk.page()
    disk.ring.push(disk.request(READ, 1, [(page, 0, 0)]))  # in the ring, not yet told
    before, state = hv.snapshot(), hv.state_hash
    ring, next_ref = (disk.ring.req_prod, disk.ring.rsp_cons), disk._next

    def go_on() -> str:
        (disk.ring.req_prod, disk.ring.rsp_cons), disk._next = ring, next_ref
        disk.send(disk.port)
        assert [status for _, _, status in disk.answers()] == [OKAY] and disk.read(page, 0, 1) == b"\x11"
        written(disk, 1, 0x22)
        return hv.state_hash

    hv.restore(before)
    assert hv.state_hash == state
    after = go_on()
    assert after != state
    hv.restore(before)
    assert hv.state_hash == state and go_on() == after


def test_going_back_over_attach_and_detach() -> None:
    domain = guest().domain
    hv = domain.hv
    moments = [(hv.snapshot(), hv.state_hash)]
    disk = front(domain)
    attach_nic(domain, LAN)
    moments.append((hv.snapshot(), hv.state_hash))
    detach_disk(domain, "xvda", force=True)
    second = front(domain, "xvdc")
    written(second, 2, 0x33)
    moments.append((hv.snapshot(), hv.state_hash))
    for number in (0, 2, 1, 0, 1, 2):
        hv.restore(moments[number][0])
        assert hv.state_hash == moments[number][1]
        assert (len(backends_of(domain).devices), len(domain.timers)) == [(0, 0), (2, 1), (2, 1)][number]
    again = BlockFront(domain, backends_of(domain).devices[second.device.token])
    again.ring, again.port, again.kept = second.ring, second.port, second.kept
    again._next = 3000
    assert first_byte(again, 2) == 0x33
    assert disk.device.link is None


def test_forks_go_their_own_way() -> None:
    domain = guest().domain
    disk = front(domain)
    written(disk, 4, 0x44)
    attach_nic(domain, LAN)
    child = domain.hv.fork()
    (copy,) = child.domains.values()
    assert child.state_hash == domain.hv.state_hash
    theirs = BlockFront(copy, backends_of(copy).devices[disk.device.token])
    theirs.ring, theirs.port, theirs.kept, theirs._next = disk.ring, disk.port, disk.kept, 3000
    theirs.ring.front = theirs
    assert first_byte(theirs, 4) == 0x44
    written(theirs, 4, 0x55)
    disk.ring.front = disk
    disk.ring.req_prod, disk.ring.rsp_cons = disk.ring.index("req_prod"), disk.ring.index("rsp_prod")
    assert first_byte(disk, 4) == 0x44 and child.state_hash != domain.hv.state_hash
    assert child.networks is not domain.hv.networks and len(child.networks.switch("lan").ports) == 1


def test_two_domains_on_a_switch_and_one_leaves() -> None:
    one = guest()
    two = guest(one, "other")
    fronts = [NetFront(dom.domain, attach_nic(dom.domain, LAN)) for dom in (one, two)]
    for net in fronts:
        assert net.connect() == CONNECTED
        net.post(8)
    frame = b"\xff" * 6 + b"\x00\x16\x3e\0\0\1\x08\0" + bytes(50)
    fronts[0].transmit(frame)
    one.hv.run(until_ns=one.hv.now_ns + 20_000)  # the frame is under way for 10 us
    assert fronts[1].received() == [frame] and fronts[0].received() == []
    one.destroy()
    fronts[1].transmit(frame)
    store = backends_of(two.domain).store
    assert store.directory(0, "/local/domain/0/backend/vif/1") == ()
    assert len(two.hv.networks.switch("lan").ports) == 1


def test_going_back_to_before_a_domain_leaves_no_port_of_the_replaced_one() -> None:
    one = guest()
    attach_nic(one.domain, LAN)
    hv = one.hv
    before, state = hv.snapshot(), hv.state_hash
    attach_nic(guest(one, "other").domain, LAN)
    assert len(hv.networks.switch("lan").ports) == 2
    hv.restore(before)
    assert len(hv.networks.switch("lan").ports) == 1 and hv.state_hash == state
