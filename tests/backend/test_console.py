"""The PV console's back end against a pretended guest, also a hostile one."""

import random

from hv.backend.console import INPUT, OUTPUT, ConsoleBackend
from tests.shared_page import Page


def make(start: int = 0) -> tuple[Page, ConsoleBackend, list[bytes]]:
    page, printed = Page(), []
    for ring in (INPUT, OUTPUT):
        page.set_u32(ring.cons, start)
        page.set_u32(ring.prod, start)
    return page, ConsoleBackend(page.window, page.notify, printed.append), printed


def test_output_wraps_in_ring_and_index() -> None:
    page, console, printed = make(start=0xFFFFFFFF - 700)
    text = bytes(range(256)) * 12
    sent = 0
    while sent < len(text):
        sent += page.guest_put(OUTPUT, text[sent:sent + 1500])
        assert console.serve()
    assert b"".join(printed) == text
    assert page.u32(OUTPUT.cons) == page.u32(OUTPUT.prod)


def test_nothing_to_do_sends_no_event() -> None:
    page, console, printed = make()
    assert not console.serve()
    assert page.events == 0 and printed == []


def test_input_waits_for_room_and_keeps_its_order() -> None:
    page, console, _ = make(start=0xFFFFFF00)
    text = bytes(i * 7 % 251 for i in range(5000))
    console.type(text)
    assert len(console.state.waiting) == 5000 - INPUT.size
    got = b""
    while len(got) < len(text):
        got += page.guest_take(INPUT, 300)
        console.serve()
    assert got == text and console.state.waiting == b""


def test_state_is_data_and_can_be_put_back() -> None:
    page, console, _ = make()
    console.type(b"x" * 2000)
    saved, memory = console.state, bytes(page.data)
    page.guest_take(INPUT)
    console.serve()
    assert console.state != saved
    console.state, page.data = saved, bytearray(memory)
    assert page.guest_take(INPUT) == b"x" * 1024


def test_hostile_indices_end_the_console_and_nothing_else() -> None:
    dice = random.Random(1)
    broken = 0
    for _ in range(3000):
        page, console, _ = make()
        page.data[:] = dice.randbytes(4096)
        if dice.random() < 0.5:                         # a pair that is possible
            page.set_u32(OUTPUT.prod, page.u32(OUTPUT.cons) + dice.randrange(OUTPUT.size + 2))
            page.set_u32(INPUT.prod, page.u32(INPUT.cons) + dice.randrange(INPUT.size + 2))
        console.type(dice.randbytes(dice.randrange(3000)))
        if console.state.broken:
            broken += 1
            before = bytes(page.data)
            console.type(b"more")
            assert bytes(page.data) == before
    assert 1000 < broken < 3000
    assert "bytes apart" in console.state.broken or not console.state.broken
