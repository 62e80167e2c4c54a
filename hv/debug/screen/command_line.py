"""The input of commands: Tab completes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.events import Key
from textual.widgets import Input

from hv.debug.commands.completion import complete as completed

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger

_CHOICES = 100
"""Completions that are listed at most."""


class CommandLine(Input):
    """`tell` shows lines of text elsewhere on the screen."""

    def __init__(self, debugger: Debugger, tell: Callable[[str], None]) -> None:
        super().__init__(id="command", placeholder=": command, ? help", compact=True, select_on_focus=False)
        self._debugger = debugger
        self._tell = tell

    async def _on_key(self, event: Key) -> None:
        """Tab and Enter at once, in the order in which keys came; bindings would be looked up while those behind them
        are taken for text. What comes behind Enter belongs where that leads."""
        handled = True
        if self.screen.focused is not self:
            self.app.post_message(Key(event.key, event.character))
        elif event.key == "tab":
            self.complete()
        elif event.key == "enter":
            await self.action_submit()
            self.screen.set_focus(None)
        else:
            handled = False
        if handled:
            event.stop()
            event.prevent_default()

    def complete(self) -> None:
        """Complete what stands before the cursor; several possibilities are listed."""
        line, rest = self.value[: self.cursor_position], self.value[self.cursor_position :]
        done, choices = completed(self._debugger, line)
        self.value = done + rest
        self.cursor_position = len(done)
        if choices:
            more = f"\nand {len(choices) - _CHOICES:,} more" if len(choices) > _CHOICES else ""
            self._tell("\n".join(["Tab:", *choices[:_CHOICES]]) + more)
            self.screen.set_focus(self)
        elif done == line:
            self.app.bell()
