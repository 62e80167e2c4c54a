"""The screen of `hv debug`: panes over the Debugger, drawn by textual. Importing this imports textual."""

from hv.debug.screen.app import Screen

__all__ = ["Screen"]
