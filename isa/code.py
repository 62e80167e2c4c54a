"""Machine code in words: each kind of code by its name, whichever architecture it is of.

    for instruction in decoder("x86_64").engine.disasm(code, address): ...
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

FOLDERS = {
    "x86_64": "x86", "x86_32": "x86", "x86_16": "x86", "aarch64": "arm", "arm": "arm", "thumb": "arm",
}  # fmt: skip
"""Kind of code to the folder of its architecture, whose module `decode` has a function decoder()."""


class Decoder(NamedTuple):
    """What there is for one kind of code. `engine`: Capstone's, with details. `longest`: bytes of an instruction at
    most. `target`: where a jump or call leads, or what an instruction points to by its own address; None: nothing."""

    engine: Any
    longest: int
    target: Callable[[Any], int | None]


@functools.cache
def decoder(code: str) -> Decoder:
    """KeyError: there is no such kind of code."""
    found: Decoder = importlib.import_module(f"isa.{FOLDERS[code]}.decode").decoder(code)
    return found
