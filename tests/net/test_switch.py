"""A switch between domains: learning, order, forgetting."""

from hv.net.port import DELAY_NS
from hv.net.switch import ADDRESSES, Switch, SwitchPort
from tests.devices.machine import TestMachine
from tests.net.guest import Guest


def mac(number: int) -> bytes:
    return b"\x52\x54" + number.to_bytes(4, "big")


def lan(count: int) -> tuple[list[Guest], Switch]:
    switch = Switch("lan")
    guests = []
    for number in range(count):
        machine = TestMachine()
        guests.append(Guest(machine, switch.port(machine, "net0"), mac(number), bytes((10, 0, 0, number))))
    return guests, switch


def send(source: Guest, target: bytes, text: bytes = b"hello") -> None:
    source.ethernet(text, 0x88B5, target)


def heard(guests: list[Guest]) -> list[list[bytes]]:
    return [[bytes(frame.data).rstrip(b"\0") for frame in guest.take()] for guest in guests]


def test_unknown_targets_and_groups_reach_everybody_else() -> None:
    guests, _ = lan(3)
    send(guests[0], mac(2), b"a")
    send(guests[0], b"\xff" * 6, b"b")
    send(guests[0], b"\x01\0\x5e\0\0\1", b"c")
    assert heard(guests) == [[], [b"a", b"b", b"c"], [b"a", b"b", b"c"]]


def test_known_targets_are_reached_alone() -> None:
    guests, _ = lan(3)
    send(guests[2], b"\xff" * 6)
    heard(guests)
    send(guests[0], mac(2))
    send(guests[2], mac(2))
    assert heard(guests) == [[], [], [b"hello"]]


def test_a_card_that_moves_is_found_again_and_one_that_is_gone_is_not() -> None:
    guests, switch = lan(3)
    send(guests[2], b"\xff" * 6)
    guests[1].mac = mac(2)
    send(guests[1], b"\xff" * 6)
    heard(guests)
    send(guests[0], mac(2))
    assert heard(guests) == [[], [b"hello"], []]
    port = guests[1].cable
    assert isinstance(port, SwitchPort)
    port.close()
    send(guests[0], mac(2))
    assert heard(guests) == [[], [], [b"hello"]] and len(switch.ports) == 2


def test_a_flood_of_addresses_forgets_the_oldest() -> None:
    guests, switch = lan(2)
    for number in range(100, 100 + ADDRESSES + 10):
        guests[0].mac = mac(number)
        send(guests[0], mac(0))
    known = switch.ports[0].state.known
    assert len(known) == ADDRESSES and known[0] == mac(110)
    guests[0].mac = b"\xff" * 6
    send(guests[0], mac(0))
    assert switch.ports[0].state.known == known


def test_its_memory_is_saved_with_the_domains() -> None:
    guests, switch = lan(2)
    send(guests[0], b"\xff" * 6)
    saved = [port.save() for port in switch.ports]
    heard(guests)
    others, again = lan(2)
    for port, values, guest in zip(again.ports, saved, others, strict=True):
        port.load(values)
        port.arm()
        guest.machine.now = DELAY_NS - 1
    assert heard(others) == [[], [b"hello"]]
    assert again.ports[0].state.known == (mac(0),)
