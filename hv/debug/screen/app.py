"""The application: panes, keys, and one worker in which the guest runs while the screen stays alive.

Invariant: only the worker touches the hypervisor. What is drawn is a View, which it has made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from hv.debug.commands import CommandError, Quit, execute
from hv.debug.commands.outside import console_of
from hv.debug.screen.command_line import CommandLine
from hv.debug.screen.view import WINDOW, View, look, look_around

if TYPE_CHECKING:
    from collections.abc import Callable

    from hv.debug.debugger import Debugger

_PANES = ("timeline", "output", "console", "display")
_AHEAD = 8
"""Keys that are kept while the worker is busy with looking."""
_NARROW = 64
"""Columns below which the registers and the stack make room for the code and the timeline."""
_LAST = 4
"""Registers that are shown wherever there is room for any."""
_EARLIER, _LATER = "earlier", "later"
_HELP = """\
s S      step one instruction, and back        n N   next hypercall, and previous
c C      run to a stop point, and backwards    g     go to a count
1 2 3 4  timeline, output, console, display    :     command line (help lists commands)
t        type on the guest's console           Tab   next pane; in the command line: complete
Enter    in the timeline: go there             Esc   leave an input; interrupt a run
q        quit"""


class Screen(App[None]):
    """The screen for one debugger."""

    TITLE = "hv debug"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title { height: 1; background: $primary; color: $text; }
    #upper { height: 2fr; min-height: 9; }
    #code { width: 1fr; height: 100%; }
    #registers { width: 42; padding: 0 0 0 1; }
    #call { height: auto; max-height: 4; background: $primary-background; }
    #lower { height: 1fr; min-height: 7; }
    #panes { width: 1fr; }
    #tabs, #stack-title { height: 1; background: $panel; }
    #stack-pane { width: 32; padding: 0 0 0 1; }
    #title, #code, #registers, #stack, #timeline { text-wrap: nowrap; text-overflow: ellipsis; }
    ContentSwitcher { height: 1fr; }
    OptionList { border: none; padding: 0; height: 1fr; }
    OptionList:focus { border: none; }
    .-narrow { display: none; }
    Input, Input:focus { border: none; height: 1; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "command('step')", "step"),
        Binding("S", "command('reverse-step')", "back"),
        Binding("n", "command('next-hypercall')", "next call"),
        Binding("N", "command('previous-hypercall')", "prev"),
        Binding("c", "command('continue')", "run"),
        Binding("C", "command('reverse-continue')", "run back"),
        Binding("g", "ask('goto ')", "goto", priority=True),
        Binding("colon", "ask('')", "command", key_display=":", priority=True),
        Binding("t", "type", "type", show=False, priority=True),
        *(Binding(str(at), f"pane('{name}')", name, show=False) for at, name in enumerate(_PANES, 1)),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("escape,ctrl+c", "interrupt", "interrupt", show=False, priority=True),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, debugger: Debugger) -> None:
        super().__init__()
        self.debugger = debugger
        self.view: View | None = None
        self.busy = False
        """The worker runs: nobody else may touch the hypervisor."""
        self._looking = False
        """The movement is over, and the worker looks at where it led: a key cuts that short, and comes next."""
        self._next: list[Callable[[], str]] = []
        self._interrupt = False
        self._leaving = False
        """The user has had enough: whatever the worker does ends soon, and nothing else begins."""
        self._reached = 0
        self._records = WINDOW
        debugger.poll = debugger.poll_back = self._poll

    def compose(self) -> ComposeResult:
        """The panes."""
        yield Static("", id="title", markup=False)
        with Horizontal(id="upper"):
            yield Static("", id="code", markup=False)
            yield Static("", id="registers", markup=False)
        yield Static("", id="call", markup=False)
        with Horizontal(id="lower"):
            with Vertical(id="panes"):
                yield Static("", id="tabs", markup=False)
                with ContentSwitcher(initial="timeline"):
                    yield OptionList(id="timeline")
                    with VerticalScroll(id="output"):
                        yield Static("", id="said", markup=False)
                    with Vertical(id="console"):
                        with VerticalScroll(id="scrolled"):
                            yield Static("", id="printed", markup=False)
                        yield Input(id="type", placeholder="t: type here, Enter sends", compact=True)
                    with VerticalScroll(id="display"):
                        yield Static("", id="shown", markup=False)
            with Vertical(id="stack-pane"):
                yield Static("stack", id="stack-title", markup=False)
                yield Static("", id="stack", markup=False)
        yield CommandLine(self.debugger, self._say)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Show where the guest stands."""
        self._show_tabs()
        self.query_one("#timeline").focus()
        self.set_interval(0.1, self._show_progress)
        self.call_after_refresh(self._work, lambda: self.debugger.opened)

    def on_resize(self, event: Resize) -> None:
        """Where there is no room for all, code and timeline have it."""
        for pane in ("#registers", "#stack-pane"):
            self.query_one(pane).set_class(event.size.width < _NARROW, "-narrow")
        self.call_after_refresh(self._show_registers)

    # ---- the worker ----

    def _poll(self) -> bool:
        if self._looking:
            return self._interrupt or self._leaving or bool(self._next)
        self._reached = self.debugger.hv.instructions
        return self._interrupt or self._leaving

    def _work(self, what: Callable[[], str]) -> None:
        """Do something with the guest, then show where it stands; `what` returns text for the output pane."""
        if self._leaving:
            return
        if self.busy:
            if self._looking and len(self._next) < _AHEAD:
                self._next.append(what)
            else:
                self.bell()
            return
        self.busy, self._looking, self._interrupt = True, False, False
        self._run(what, self.query_one("#code").size.height)

    @work(thread=True)
    def _run(self, what: Callable[[], str], rows: int) -> None:
        try:
            said = what()
        except Quit:
            self._leaving, said = True, ""
        except CommandError as error:
            said = str(error)
        # What interrupted the movement must not cut the look at the timeline.
        self._looking, self._interrupt = True, False
        view = None
        if not self._leaving:
            view = look(self.debugger, self.view, rows)
            if not view.window.made:  # repeating what is around here takes seconds when little happens
                self.call_later(self._show, view)
                view = look_around(self.debugger, view, self._records)
        # Not call_from_thread: it would wait, and who leaves does not answer any more.
        self.call_later(self._done, said, view)

    def _done(self, said: str, view: View | None) -> None:
        self.busy = False
        if view is None or self._leaving:
            self.exit()
            return
        self._show(view)
        if said:
            self._say(said)
        if self._next:
            self._work(self._next.pop(0))

    def _show_progress(self) -> None:
        if self.busy and not self._looking and self._reached:
            self.query_one("#title", Static).update(f"running: {self._reached:,} instructions; Esc interrupts")

    # ---- drawing ----

    def _show(self, view: View) -> None:
        self._reached = 0
        again = self.view is not None and self.view.window is view.window
        self.view = view
        around = "" if view.window.made else "  looking around; Esc ends it"
        self.query_one("#title", Static).update(view.title + around)
        code = [Content.styled(text, "reverse") if here else Content(text) for here, text in view.code]
        self.query_one("#code", Static).update(Content("\n").join(code))
        self._show_registers()
        self.query_one("#call", Static).update("\n".join([*view.call[:1], "  ".join(view.call[1:])]))
        self.query_one("#call").display = bool(view.call)
        self.query_one("#stack", Static).update("\n".join(view.stack))
        self.query_one("#shown", Static).update("\n".join(view.displays) or ": display EXPRESSION shows one here")
        self.query_one("#printed", Static).update(view.console)
        self.call_after_refresh(self.query_one("#scrolled").scroll_end, animate=False)
        self.call_after_refresh(self._show_registers)  # how many rows they have follows from the call below them
        if not view.window.made:
            return
        if not again:
            self._fill_timeline(view)
        self._mark_timeline(view)

    def _show_registers(self) -> None:
        if self.view is not None:
            room = self.query_one("#upper").size.height
            self.query_one("#registers", Static).update(_registers(self.view, room))

    def _fill_timeline(self, view: View) -> None:
        timeline = self.query_one("#timeline", OptionList)
        timeline.clear_options()
        moments = [Option(Content(moment.text)) for moment in view.window.moments]
        timeline.add_options([
            Option(Content("... earlier: Enter looks farther back"), id=_EARLIER),
            *moments,
            Option(Content("... later: Enter looks farther ahead"), id=_LATER),
        ])  # fmt: skip

    def _mark_timeline(self, view: View) -> None:
        """Highlight what comes next, in the middle."""
        behind = sum(1 for moment in view.window.moments if moment.count < view.count)
        timeline = self.query_one("#timeline", OptionList)
        timeline.highlighted = 1 + min(behind, max(len(view.window.moments) - 1, 0))
        top = timeline.highlighted - timeline.size.height // 2
        self.call_after_refresh(timeline.scroll_to, y=top, animate=False)

    def _show_tabs(self) -> None:
        current = self.query_one(ContentSwitcher).current
        names = (f"[{at} {name}]" if name == current else f" {at} {name} " for at, name in enumerate(_PANES, 1))
        self.query_one("#tabs", Static).update("".join(names))

    def _say(self, text: str) -> None:
        self.query_one("#said", Static).update(text)
        self.query_one("#output").scroll_home(animate=False)
        if "\n" in text:
            self.action_pane("output")
        else:
            self.query_one("#command", Input).placeholder = text

    # ---- keys ----

    def action_command(self, line: str) -> None:
        """Carry out a command."""
        self._work(lambda: execute(self.debugger, line))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that lead to an input have priority, so that what follows arrives there; inside one they are text."""
        return not (action in ("ask", "type") and isinstance(self.focused, Input))

    def action_ask(self, text: str) -> None:
        """Begin a command in the command line."""
        box = self.query_one("#command", Input)
        box.value = text
        self._focus(box)
        box.cursor_position = len(text)

    def action_type(self) -> None:
        """To the input of the console."""
        self.action_pane("console")
        self._focus(self.query_one("#type", Input))

    def action_pane(self, name: str) -> None:
        """Show one of the lower panes."""
        self.query_one(ContentSwitcher).current = name
        self.query_one("#stack-pane").display = name == "timeline"
        self._show_tabs()
        self._focus(self.query_one("#scrolled" if name == "console" else f"#{name}"))

    def _focus(self, widget: Widget) -> None:
        """At once: what is typed behind a key belongs where that key leads, however fast it comes."""
        self.screen.set_focus(widget)

    def action_help(self) -> None:
        """The keys."""
        self._say(_HELP)

    def action_interrupt(self) -> None:
        """Interrupt a run, else leave an input."""
        if self.busy:
            self._interrupt = True
        else:
            self.action_pane("timeline")

    async def action_quit(self) -> None:
        """Leave; a run is interrupted, and the keys behind it are forgotten."""
        self._leaving = True
        self.exit()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A command, or a line for the guest."""
        text = event.value
        event.input.value = ""
        if event.input.id == "type":
            self._work(lambda: self._typed(text))
            return
        self.action_pane("timeline")
        if text.strip():
            self.action_command(text)

    def _typed(self, text: str) -> str:
        console_of(self.debugger).feed(text.encode() + b"\n")
        return f"typed at instruction {self.debugger.timeline.position}"

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter in the timeline: go there."""
        if self.view is None or self.busy:
            return
        if event.option.id in (_EARLIER, _LATER):
            self._records *= 4
            self._look_again()
            return
        count = self.view.window.moments[event.option_index - 1].count
        self.action_command(f"goto {count}")

    def _look_again(self) -> None:
        """With another window of the timeline."""
        self.view = None
        self._work(lambda: "")


def _registers(view: View, room: int) -> Content:
    """Two columns; `*` and bold mark what has changed since the last stop. Where there is no room for all, the last
    ones stay: link register, stack pointer, flags."""
    cells = [
        Content.styled(f"{name:>3}*{value}", "bold $warning") if changed else Content(f"{name:>3} {value}")
        for name, value, changed in view.registers
    ]
    rows = (len(cells) + 1) // 2
    if _LAST <= room < rows:
        rows = room
        cells = cells[: 2 * rows - _LAST] + cells[-_LAST:]
    lines = [Content(" ").join(cells[at::rows]) for at in range(rows)]
    return Content("\n").join(lines)
