"""The screen of `hv debug`: keys and what is shown then, driven by textual's own pilot on a terminal of 80x24."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from hv.debug.debugger import Debugger
from hv.debug.screen import Screen
from hv.debug.screen.view import View, look, look_around
from hv.debug.symbols import symbols_of
from hv.testing.runner import DomainUnderTest, Options
from tests.debug.straight import MEMORY_MIB

CMDLINE = "rounds=5"
Play = Callable[["Stage"], Awaitable[None]]


class Stage:
    """The screen under a pilot: presses keys, waits until the guest is at rest, and reads what is on the terminal."""

    def __init__(self, app: Screen, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def settle(self) -> None:
        await self.pilot.pause()
        while self.app.busy or self.app.view is None:
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def press(self, *keys: str) -> str:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()
        return self.text

    async def enter(self, line: str) -> str:
        await self.pilot.press("colon")
        self.app.query_one("#command", Input).value = line
        return await self.press("enter")

    @property
    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


async def all_is_handled(app: Screen) -> None:
    """Wait until no message waits, at several looks in a row: one that is handled may post another."""
    looks = 0
    while looks < 5:
        await asyncio.sleep(0.001)
        pumps = [app, *(node for screen in app.screen_stack for node in screen.walk_children(with_self=True))]
        looks = looks + 1 if all(pump._message_queue.empty() for pump in pumps) else 0


def on_stage(
    play: Play, guest: str = "tour", cmdline: str = CMDLINE, size: tuple[int, int] = (80, 24), memory: int = MEMORY_MIB,
    env: str = "",
) -> Debugger:
    dom = DomainUnderTest(guest, Options(cmdline=cmdline, memory=memory, env=env))
    debugger = Debugger(dom.hv, symbols=symbols_of(dom.guest.image))

    async def run() -> None:
        app = Screen(debugger)

        async def idle(*_: float) -> None:
            await all_is_handled(app)

        # textual's own waits until the process uses no time, which it does while the guest runs: a second for each key.
        with patch("textual.app.wait_for_idle", idle), patch("textual.pilot.wait_for_idle", idle):
            await on(app)

    async def on(app: Screen) -> None:
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, pilot)
            await stage.settle()
            await play(stage)

    asyncio.run(run())
    return debugger


def test_it_opens_before_the_first_instruction() -> None:
    async def play(stage: Stage) -> None:
        assert len(stage.lines) == 24
        assert all(len(line) <= 80 for line in stage.lines)
        assert re.match(r"0  d1v0  0x[0-9a-f]+ _start \(start\.S:\d+\)", stage.lines[0])
        assert re.search(r"^_start: .*\n>\+0 +cld", stage.text, re.MULTILINE)
        assert re.search(r" rsp [0-9a-f]{16}", stage.text)
        assert "[1 timeline]" in stage.text
        assert re.search(r"[\d,]+ d1v0 +update_va_mapping\(va=", stage.text)
        assert stage.lines[-1].startswith("s step S back n next call")

    on_stage(play)


def test_it_looks_as_its_page_shows() -> None:
    """Every row of docs/debug.md's picture, but for the scroll bar, which is the library's."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "debug.md").read_text().partition("## The screen\n")[2]
    picture = re.search(r"(?:^    .*\n)+", page, re.M)
    assert picture is not None
    bar = str.maketrans(dict.fromkeys("▁▂▃▄▅▆▇█", " "))

    async def play(stage: Stage) -> None:
        await stage.enter("break-hypercall grant_table_op.map_grant_ref")
        await stage.press("c")
        await stage.press("s")
        shown = [line.translate(bar).rstrip() for line in stage.lines]
        assert shown == [line[4:].translate(bar).rstrip() for line in picture[0].splitlines()]

    on_stage(play, cmdline="", memory=8)


def test_an_arm_guest_and_its_registers() -> None:
    async def play(stage: Stage) -> None:
        await stage.enter("break-hypercall grant_table_op.map_grant_ref")
        text = await stage.press("c")
        assert re.search(r">\+\w+ +hvc #0xea1", text) and "next: grant_table_op.GNTTABOP_map_grant_ref" in text
        for name in ("x0", "x16", "x30", "sp", "pc", "pstate"):  # what matters, of more than there is room for
            assert re.search(rf" {name}[ *] *[0-9a-f]{{8}}", text), name
        assert not re.search(r" x28[ *][0-9a-f]{16}", text)

    on_stage(play, memory=8, env="arm64")


def test_with_room_for_all_registers() -> None:
    async def play(stage: Stage) -> None:
        for number in range(31):
            assert re.search(rf" x{number}[ *][0-9a-f]{{16}}", stage.text), number

    on_stage(play, memory=8, env="arm64", size=(100, 50))


def test_steps_mark_what_has_changed() -> None:
    async def play(stage: Stage) -> None:
        text = await stage.press("s", "s")
        assert text.startswith("2  d1v0")
        assert re.search(r"rsp\*ffffffff", text)
        assert re.search(r"rip\*ffffffff", text)
        assert re.search(r"rax 0000", text)
        text = await stage.press("S")
        assert text.startswith("1  d1v0")
        assert re.search(r">\+1 +lea rsp", text)
        assert "at instruction 1" in text

    on_stage(play)


def test_a_hypercall_is_decoded_before_and_behind_it() -> None:
    async def play(stage: Stage) -> None:
        text = await stage.enter("break-hypercall grant_table_op.map_grant_ref")
        assert "1: hypercall grant_table_op.map_grant_ref" in text
        text = await stage.press("c")
        assert "next: grant_table_op.GNTTABOP_map_grant_ref" in text
        assert "cmd=GNTTABOP_map_grant_ref" in text
        assert "uop.ref=8" in text
        assert "stop point: hypercall grant_table_op.map_grant_ref at instruction" in text
        there = text.split()[0]
        text = await stage.press("s")
        assert "made: grant_table_op.GNTTABOP_map_grant_ref = 0" in text
        assert "uop.ref=8" in text
        text = await stage.press("S")
        assert text.split()[0] == there
        text = await stage.press("n", "N")
        assert text.split()[0] == there
        assert (await stage.press("C")).startswith("0  d1v0")
        assert "begin at instruction 0" in stage.text

    on_stage(play)


def test_a_refused_hypercall_shows_errno_and_rule() -> None:
    async def play(stage: Stage) -> None:
        first = stage.app.debugger.past.after(200)
        refused = next(trap for trap in first.found if trap.is_call and trap.error_of_call)
        text = await stage.enter(f"goto {refused.when}")
        assert f"next: {refused.name}" in text
        text = await stage.press("s")
        error = refused.error_of_call
        assert error is not None
        assert f"made: {refused.name}" in text
        assert f"= -{error.errno_name} [{error.rule}]" in text

    on_stage(play, "refusals", "", (140, 40))


def test_the_timeline_is_scrolled_and_jumped_through_both_ways() -> None:
    async def play(stage: Stage) -> None:
        timeline = stage.app.query_one("#timeline", OptionList)
        assert stage.app.focused is timeline
        await stage.press("down", "down", "enter")
        view = stage.app.view
        assert view is not None
        assert view.count == view.window.moments[2].count
        assert view.call[0] == "next: callback_op.CALLBACKOP_register"
        for _ in range(30):
            await stage.pilot.press("down")
        await stage.press("enter")
        far = stage.app.view
        assert far is not None
        assert far.count == far.window.moments[32].count > view.count
        while timeline.highlighted != 2:  # option 0 looks farther back
            await stage.pilot.press("up")
        await stage.press("enter")
        assert stage.app.view is not None
        assert stage.app.view.count == view.window.moments[1].count
        shown = len(view.window.moments)
        await stage.press("end", "enter")
        assert len(stage.app.view.window.moments) > shown
        assert stage.app.view.count == view.window.moments[1].count

    on_stage(play)


def test_goto_and_commands_and_their_errors() -> None:
    async def play(stage: Stage) -> None:
        await stage.press("g")
        assert stage.app.query_one("#command", Input).value == "goto "
        text = await stage.press(*"15000", "enter")
        assert text.startswith("15,000  d1v0")
        assert "no such symbol; the nearest is tour_grant" in await stage.enter("break tour_grnat")
        text = await stage.enter("evtchn")
        assert "[2 output]" in text
        assert "VIRQ_TIMER" in text or "interdomain" in text
        assert "[1 timeline]" in await stage.press("escape")
        text = await stage.press("question_mark")
        assert "step one instruction, and back" in text

    on_stage(play)


def test_watched_expressions() -> None:
    async def play(stage: Stage) -> None:
        await stage.enter("display *tour_round")
        await stage.enter("break tour_store")
        text = await stage.press("4", "c", "c")
        assert "[4 display]" in text
        assert "1: *tour_round = 0x2 (2)" in text

    on_stage(play)


def test_the_console_shows_what_was_printed_and_takes_input() -> None:
    async def play(stage: Stage) -> None:
        await stage.enter("break tour_store if *tour_round == 4")
        text = await stage.press("c", "3")
        assert "round 1\nround 2\nround 3\n" in re.sub(r" +", " ", text)
        text = await stage.press("t", *"hi", "enter")
        assert "typed at instruction" in text
        text = await stage.press("escape", "C", "3")
        assert "round 1" not in text

    debugger = on_stage(play)
    assert [entry.data for entry in debugger.hv.inputs] == []
    assert debugger.timeline.tip is not None
    assert debugger.timeline.tip.last.data == b"hi\n"


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
def test_a_long_run_is_interrupted_and_the_screen_lives_meanwhile(key: str) -> None:
    async def play(stage: Stage) -> None:
        await stage.pilot.press("c")
        while "running: " not in stage.lines[0]:
            await stage.pilot.pause(0.01)
        assert re.match(r"running: [\d,]+ instructions; Esc interrupts", stage.lines[0])
        await stage.pilot.press("s")  # refused: one thing at a time
        text = await stage.press(key)
        assert re.search(r"interrupted at instruction [\d,]+", text)
        assert stage.app.view is not None
        assert len(stage.app.view.window.moments) > 100
        count = stage.app.debugger.hv.instructions
        text = await stage.press("s")
        assert stage.app.debugger.hv.instructions == count + 1

    on_stage(play, "tour", "rounds=100000000")


def test_keys_are_kept_while_the_screen_is_worked_out() -> None:
    async def play(stage: Stage) -> None:
        app = stage.app
        app.busy = app._looking = True
        for _ in range(3):
            await stage.pilot.press("s")
        assert app.debugger.hv.instructions == 0
        assert app.view is not None
        app._done("", app.view)
        while app._next or app.busy:
            await stage.pilot.pause(0.01)
        await stage.settle()
        assert stage.text.startswith("3  d1v0")

    on_stage(play)


def test_q_leaves_and_the_run_is_that_of_a_straight_one() -> None:
    straight = DomainUnderTest("tour", Options(cmdline=CMDLINE, memory=MEMORY_MIB)).run()

    async def play(stage: Stage) -> None:
        await stage.enter("watch tour_round")
        await stage.press("c", "c", "s", "S", "n", "s", "N", "C")
        await stage.enter("delete all")
        text = await stage.press("c")
        assert "shutdown at instruction" in text
        assert stage.app.debugger.hv.state_hash == straight.state_hash
        await stage.pilot.press("q")
        assert stage.app._exit

    on_stage(play)


@pytest.mark.parametrize("keys", [("q",), ("ctrl+c", "c", "q"), ("C", "q")])
def test_q_ends_whatever_goes_on_and_nothing_begins_behind_it(keys: tuple[str, ...]) -> None:
    async def play(stage: Stage) -> None:
        app = stage.app
        await stage.pilot.press("c")
        while "running: " not in stage.lines[0]:
            await stage.pilot.pause(0.01)
        for key in keys:
            await stage.pilot.press(key)
        assert app._exit
        while app._workers:  # what they do is forgotten, and nothing comes behind it
            await stage.pilot.pause(0.01)
        stopped = app.debugger.hv.instructions
        app.action_command("continue")
        assert not app._workers
        assert app.debugger.hv.instructions == stopped

    on_stage(play, "tour", "rounds=100000000")


def test_a_stop_is_shown_before_what_is_around_it_is_known() -> None:
    async def play(stage: Stage) -> None:
        app, shown = stage.app, []
        show = app._show

        def seen(view: View) -> None:
            show(view)
            shown.append((view.window.made, str(app.query_one("#title", Static).content)))

        app._show = seen  # type: ignore[method-assign]
        await stage.press("c", "S")
        assert shown == [
            (False, shown[1][1] + "  looking around; Esc ends it"),
            (True, shown[1][1]),
            (True, shown[2][1]),  # the window reaches there
        ]
        end, before = (int(shown[at][1].split()[0].replace(",", "")) for at in (1, 2))
        assert end == before + 1
        assert app.query_one("#timeline", OptionList).option_count == len(app.view.window.moments) + 2

    on_stage(play)


def test_a_key_cuts_the_look_around_and_what_was_not_seen_is_looked_at_later() -> None:
    async def play(stage: Stage) -> None:
        app = stage.app
        whole = len(app.view.window.moments)
        app._looking, app._next = True, [lambda: ""]
        cut = look_around(app.debugger, look(app.debugger, None, 5))
        assert cut.window.cut
        assert len(cut.window.moments) < whole
        app._next, app.view = [], cut
        await stage.press("s")
        assert not app.view.window.cut
        assert len(app.view.window.moments) >= whole - 1

    on_stage(play)


def test_tab_completes_in_the_command_line() -> None:
    async def play(stage: Stage) -> None:
        box = stage.app.query_one("#command", Input)
        await stage.press("colon", *"break", "space", *"tour_gra", "tab")
        assert box.value == "break tour_grant "
        assert stage.app.focused is box
        text = await stage.press("enter")
        assert re.search(r"1: 0x[0-9a-f]+ tour_grant", text)
        await stage.pilot.press("colon")
        for key, character in [*zip("rev", "rev", strict=True), ("tab", "\t")]:
            stage.app.post_message(Key(key, character))
        await stage.settle()
        await stage.settle()
        text = stage.text
        assert box.value == "reverse-"
        assert "reverse-continue" in text
        assert "reverse-step" in text
        assert stage.app.focused is box

    on_stage(play)


def test_a_narrow_terminal_keeps_the_code() -> None:
    async def play(stage: Stage) -> None:
        assert re.search(r"^>\+0 +cld", stage.text, re.MULTILINE)
        assert " rsp " not in stage.text
        await stage.pilot.resize_terminal(80, 24)
        await stage.settle()
        assert re.search(r" rsp [0-9a-f]{16}", stage.text)
        assert re.search(r"rflags +[0-9a-f]{8}\b", stage.text)

    on_stage(play, size=(40, 24))


def test_a_crash_file_says_so_when_it_is_opened() -> None:
    async def play(stage: Stage) -> None:
        assert "the guest crashes here" in stage.text

    dom = DomainUnderTest("tour", Options(cmdline=CMDLINE, memory=MEMORY_MIB))
    debugger = Debugger(dom.hv, symbols=symbols_of(dom.guest.image))
    debugger.opened = "the guest crashes here"

    async def run() -> None:
        app = Screen(debugger)
        async with app.run_test(size=(80, 24)) as pilot:
            stage = Stage(app, pilot)
            await stage.settle()
            await play(stage)

    asyncio.run(run())


def test_a_small_and_a_large_terminal() -> None:
    async def play(stage: Stage) -> None:
        text = await stage.press("n", "s")
        assert "made: update_va_mapping = 0" in text
        assert re.search(r"val=0x[0-9a-f]+067", text)
        for line in stage.lines:
            assert len(line) <= stage.app.size.width

    for size in ((80, 24), (200, 60)):
        on_stage(play, size=size)


def test_a_place_without_memory_is_no_traceback() -> None:
    async def play(stage: Stage) -> None:
        gprs = stage.app.debugger.vcpu
        state = gprs.state()
        state.gprs.rip = state.gprs.rsp = 0x1000
        gprs.set_state(state)
        text = await stage.enter("position")
        assert "0x1000: memory there is not mapped" in text
        assert "rsp is not mapped" in text

    on_stage(play)


def test_keys_that_come_in_one_burst_arrive_where_the_first_leads() -> None:
    async def play(stage: Stage) -> None:
        burst = [("colon", ":"), *((character if character != " " else "space", character) for character in "step 5")]
        for key, character in [*burst, ("enter", "\r")]:
            stage.app.post_message(Key(key, character))
        await stage.settle()
        await stage.settle()
        assert stage.app.debugger.timeline.position.count == 5
        stage.app.post_message(Key("colon", ":"))
        for key, character in [*zip("g 10", "g 10", strict=True), ("enter", "\r"), ("4", "4")]:
            stage.app.post_message(Key("space" if key == " " else key, character))
        await stage.settle()
        await stage.settle()
        assert stage.app.query_one("#command", Input).value == ""
        assert stage.app.debugger.timeline.position.count == 10
        assert "[4 display]" in stage.text

    on_stage(play)
