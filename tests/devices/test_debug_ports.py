"""Debug consoles and the POST code."""

import pytest

from hv.devices.debug_ports import CONSOLES, DebugConsole, PostCode
from tests.devices.machine import TestMachine


@pytest.mark.parametrize(
    ("kind", "port", "reads"), [("seabios", 0x402, 0xE9), ("bochs", 0xE9, 0xE9), ("xen", 0x12, 0xFF)]
)
def test_a_console_prints_what_is_written(kind: str, port: int, reads: int) -> None:
    machine = TestMachine()
    DebugConsole(machine, kind)
    for byte in b"SeaBIOS\n":
        machine.out(port, byte)
    assert machine.printed == b"SeaBIOS\n" and machine.inp(port) == reads


def test_a_sink_takes_the_place_of_the_console() -> None:
    machine, seen = TestMachine(), bytearray()
    devices = [DebugConsole(machine, kind, seen.extend) for kind in CONSOLES]
    machine.out(0xE9, 0x4241, 2)  # a word is two ports: 0xea is nobody's
    machine.out(0x402, 0x43)
    assert bytes(seen) == b"AC" and machine.printed == b""
    assert [device.save() for device in devices] == [()] * 3


def test_the_last_post_code_is_kept() -> None:
    machine = TestMachine()
    post = PostCode(machine)
    machine.out(0x80, 0x55)
    assert machine.inp(0x80) == 0x55 == post.state.code
    post.reset()
    assert machine.inp(0x80) == 0
