"""argparse for `hv`: what is wrong with a command line is said in one line. Importing this imports argparse."""

from __future__ import annotations

import argparse
import sys
from difflib import get_close_matches
from typing import Any, NoReturn

from hv.cli.main import EXIT_USAGE

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """A parser whose --help keeps its line breaks, and whose complaints are a line and the exit code 2."""

    def __init__(self, **how: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **how)

    def error(self, message: str) -> NoReturn:
        """`hv run: --memory: abc is no whole number; see hv run --help`."""
        said = " ".join(self._reworded(message).removeprefix("argument ").split())
        sys.stderr.write(f"{self.prog}: {said}; see {self.prog} --help\n")
        sys.exit(EXIT_USAGE)

    def _reworded(self, message: str) -> str:
        kind, _, rest = message.partition(": ")
        if kind == "the following arguments are required":
            return f"missing: {rest}"
        if kind != "unrecognized arguments":
            return message
        unknown = rest.split()
        option = next((word for word in unknown if word.startswith("-")), None)
        if option is None:
            return f"{unknown[0]} is an argument too many"
        name = option.partition("=")[0]
        known = [flag for flag in self._option_string_actions if flag.startswith("--")]
        close = get_close_matches(name, known, 1)
        return f"there is no option {name}{f', perhaps {close[0]} is meant' if close else ''}"
