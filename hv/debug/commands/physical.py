"""Commands that look at machine memory, whatever page table is loaded."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from hv.debug.commands import CommandError, command
from hv.debug.commands.moving import number
from hv.debug.memory import read_machine

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger

_FORMAT = re.compile(r"/(\d*)([a-z]*)")
_SIZES = {"b": ("B", 1), "h": ("H", 2), "w": ("I", 4), "g": ("Q", 8)}
_WRITTEN = {"x": "0x{:0{digits}x}", "d": "{}", "u": "{}", "o": "{:#o}"}
_MOST = 4096
_A_LINE = 16


@command("xp", "[/NFU] ADDRESS", "show machine memory: N units, format x d u o, unit b h w g")
def xp(debugger: Debugger, args: list[str]) -> str:
    """As QEMU's monitor writes it."""
    if not args or len(args) > 2 or (len(args) == 2) != args[0].startswith("/"):
        raise CommandError("xp takes [/NFU] ADDRESS, as xp /4xg 0x1000")
    count, shape, unit = _shape(args[0]) if len(args) == 2 else (1, "x", "w")
    code, size = _SIZES[unit]
    address = number(args[-1], "xp")
    data = read_machine(debugger.hv, address, count * size)
    if len(data) < count * size:
        raise CommandError(f"there is no machine memory at {address + len(data):#x}")
    values = struct.unpack(f"<{count}{code.lower() if shape == 'd' else code}", data)
    texts = [_WRITTEN[shape].format(value, digits=2 * size) for value in values]
    each = _A_LINE // size
    return "\n".join(
        f"{address + start * size:016x}: {' '.join(texts[start : start + each])}" for start in range(0, count, each)
    )


def _shape(text: str) -> tuple[int, str, str]:
    """/NFU: how many, in which format, of which unit. CommandError."""
    found = _FORMAT.fullmatch(text)
    letters = set(found[2]) if found else {"?"}
    shapes, units = letters & _WRITTEN.keys(), letters & _SIZES.keys()
    if not found or letters - shapes - units or len(shapes) > 1 or len(units) > 1:
        raise CommandError(f"xp: {text} is not /NFU: a number, one of x d u o, one of b h w g")
    count = int(found[1] or 1)
    if not 0 < count <= _MOST:
        raise CommandError(f"xp: {count} units; 1 to {_MOST} can be shown")
    return count, shapes.pop() if shapes else "x", units.pop() if units else "w"
