"""`--nic` texts, policies, option ROMs, and cards put into machines."""

from pathlib import Path

import pytest

from hv.devices.device import Device
from hv.devices.e1000 import E1000
from hv.devices.rtl8139 import Rtl8139
from hv.hypervisor import Hypervisor
from hv.net.attach import Networks, attach, serve
from hv.net.listeners import Forward
from hv.net.messages import Event, read_event
from hv.net.nat import DNS, GATEWAY, Nat
from hv.net.options import NicOptions, default_mac, parse_nic
from hv.net.policy import parse_policy
from hv.net.roms import find_rom
from tests.devices.machine import TestMachine
from tests.net.guest import Guest, Stream, address


def test_what_texts_mean(tmp_path: Path) -> None:
    plain = parse_nic("user")
    assert (plain.switch, plain.model, plain.mac, plain.nat) == ("", "", None, (True, False, ""))
    assert parse_nic("user", allow=("none",)).nat.outside is False
    full = parse_nic(f"user,model=rtl8139,mac=52:54:00:AB:cd:01,allow=dns,allow=none,hostfwd=tcp::8080-:80,"
                     f"hostfwd=udp:0.0.0.0:53-10.0.2.16:5353,tftp={tmp_path},bootfile=a.ipxe")  # fmt: skip
    assert full == NicOptions(
        "", "rtl8139", bytes.fromhex("525400abcd01"), full.policy,
        (Forward(6, "127.0.0.1", 8080, bytes(4), 80), Forward(17, "0.0.0.0", 53, b"\x0a\0\2\x10", 5353)),
        tmp_path, "a.ipxe",
    )  # fmt: skip
    assert parse_nic("switch=lan,model=xen") == NicOptions("lan", "xen")


@pytest.mark.parametrize(("text", "problem"), [
    ("", "no kind"), ("tap", "no kind"), ("switch", "no kind"), ("switch=", "no kind"), ("user=x", "no kind"),
    ("user,model=ne2k", "no such card"), ("user,mac=1", "not a card's"), ("user,mac=01:00:00:00:00:00", "not a card's"),
    ("user,colour=red", "unknown"), ("user,model=", "unknown"), ("user,mac=00:00:00:00:00:02,mac=00:00:00:00:00:02",
     "given before"), ("switch=a,allow=any", "has no allow"), ("user,tftp=/nonexistent", "no folder"),
    ("user,hostfwd=tcp:8080-:80", "not a forwarding"), ("user,hostfwd=tcp::0-:80", "not a forwarding"),
    ("user,hostfwd=tcp:1.2.3:1-:80", "not a forwarding"), ("user,hostfwd=tcp::1-:70000", "not a forwarding"),
    ("user,allow=example.org", "not a destination"), ("user,allow=10.0.0.0/8:", "not a destination"),
    ("user,allow=host:80-", "not a destination"), ("user,allow=host:9-8", "not a destination"),
])  # fmt: skip
def test_what_is_no_network_says_so_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as error:
        parse_nic(text)
    assert "remedy" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("allow", "where", "port", "granted"), [
    (["any"], "93.184.216.34", 80, True), (["any"], "192.168.1.1", 22, True), (["any"], "127.0.0.1", 80, False),
    (["any"], "169.254.169.254", 80, False), (["any"], "10.0.2.2", 80, False), (["any"], "10.0.2.3", 53, True),
    (["any"], "10.0.2.3", 80, False), (["any"], "0.0.0.0", 80, False), (["any"], "255.255.255.255", 80, False),
    (["any"], "224.0.0.1", 80, False), (["none"], "10.0.2.3", 53, False), ([], "93.184.216.34", 80, False),
    (["host"], "10.0.2.2", 9, True), (["host:80"], "10.0.2.2", 80, True), (["host:80"], "10.0.2.2", 81, False),
    (["dns"], "10.0.2.3", 53, True), (["dns"], "10.0.2.2", 53, False),
    (["10.1.0.0/16:8000-8010"], "10.1.2.3", 8010, True), (["10.1.0.0/16:8000-8010"], "10.1.2.3", 8011, False),
    (["10.1.0.0/16", "dns"], "10.2.2.3", 8000, False),
    (["127.0.0.1"], "127.0.0.1", 1, True),
])  # fmt: skip
def test_policies(allow: list[str], where: str, port: int, granted: bool) -> None:
    assert parse_policy(allow).allows(address(where), port) is granted


def test_option_roms_are_found_where_packages_put_them(tmp_path: Path) -> None:
    (tmp_path / "efi-e1000.rom").write_bytes(b"both")
    assert find_rom("e1000", [tmp_path]) == b"both"
    (tmp_path / "pxe-e1000.rom").write_bytes(b"bios")
    assert find_rom("e1000", [tmp_path]) == b"bios"
    assert find_rom("no-such-card", [tmp_path]) is None


class Platform(TestMachine):
    def __init__(self) -> None:
        super().__init__()
        self.devices: dict[str, Device] = {}

    def add(self, device: Device) -> None:
        self.devices[device.name] = device


def test_cards_are_put_into_machines_and_plugged_in() -> None:
    networks, first, second = Networks(), Platform(), Platform()
    a = attach(first, networks, parse_nic("switch=lan"), domain="a", number=0, slot=4)
    b = attach(second, networks, parse_nic("switch=lan,model=rtl8139"), domain="b", number=0, slot=4)
    c = attach(first, networks, parse_nic("user"), domain="a", number=1, slot=5, rom=bytes(512))
    assert isinstance(a.nic, E1000) and isinstance(b.nic, Rtl8139) and isinstance(c.port, Nat)
    assert a.nic.rom is None and c.nic.rom is not None
    assert list(first.devices) == ["nic0", "net0", "nic1", "net1"]
    assert a.nic.mac == default_mac("a", 0) != b.nic.mac and a.nic.mac[:3] == b"\x00\x16\x3e"
    a.nic.transmit(b"\xff" * 6 + a.nic.mac + bytes(50))
    assert len(b.port.state.frames) == 1 and c.port.state.frames == ()
    with pytest.raises(ValueError, match="no PCI card"):
        attach(first, networks, parse_nic("switch=lan,model=xen"), domain="a", number=2, slot=6)


def test_what_enters_a_hypervisor_is_recorded_by_its_gate() -> None:
    """The whole way: guest, NAT, host, InputGate, NAT. The policy refuses, so no packet leaves."""
    hv = Hypervisor(memory_mib=4)
    domain = hv.create_domain("guest", memory_mib=1)
    machine = TestMachine()
    nat = Nat(machine, "net0", parse_nic("user").nat)
    domain.services["net0"] = nat
    guest = Guest(machine, nat)
    host = serve(hv, domain, nat, parse_nic("user,allow=dns"))
    host.poll()
    guest.arp()
    guest.take()
    stream = Stream(guest, GATEWAY, 80)
    host.poll()
    stream.run()
    assert stream.unreachable
    (entered,) = hv.inputs
    event = read_event(entered.data)
    assert (entered.service, event and event[:2]) == ("net0", (Event.REFUSED, 1))
    assert parse_policy(["dns"]).allows(DNS, 53)
    host.close()
