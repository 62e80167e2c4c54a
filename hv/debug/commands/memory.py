"""Commands that show memory: by linear address, and by machine address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.debug.commands import CommandError, command
from hv.debug.commands.arguments import address, counts, evaluate, limited
from hv.debug.device_tree import DeviceTreeError, read_tree, text
from hv.debug.memory import read_linear, read_machine, reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hv.debug.debugger import Debugger

_DEFAULT, _MOST = 64, 1 << 16
_ROW = 16


def hexdump(start: int, data: bytes) -> Iterator[str]:
    """Sixteen bytes a line: address, bytes, and those that are printable."""
    for at in range(0, len(data), _ROW):
        row = data[at : at + _ROW]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{start + at:#018x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  {text}"


@command("memory", "ADDRESS [LENGTH]", "bytes (default 64) at a linear address")
def memory(debugger: Debugger, args: list[str]) -> str:
    """As the vcpu sees them."""
    counts(args, 1, 2, "memory ADDRESS [LENGTH]")
    start = address(debugger, args[0], "memory")
    length = limited(args, 1, _DEFAULT, "memory", _MOST)
    data = read_linear(debugger.vcpu, start, length)
    if not data:
        raise CommandError(f"memory: {start:#x} is not mapped; walk {start:#x} shows where its translation ends")
    lines = list(hexdump(start, data))
    if len(data) < length:
        lines.append(f"{start + len(data):#018x}  is not mapped")
    return "\n".join(lines)


@command("xp", "MACHINE-ADDRESS [LENGTH]", "bytes (default 64) of machine memory")
def xp(debugger: Debugger, args: list[str]) -> str:
    """Whoever they belong to."""
    counts(args, 1, 2, "xp MACHINE-ADDRESS [LENGTH]")
    start = evaluate(debugger, args[0], "xp")
    end = int(debugger.hv.state.frames) << 12
    if start >= end:
        raise CommandError(f"xp: {start:#x} is beyond the end of machine memory, {end:#x}")
    return "\n".join(hexdump(start, read_machine(debugger.hv, start, limited(args, 1, _DEFAULT, "xp", _MOST))))


@command("device-tree", "ADDRESS [PATH]", "the flattened device tree at an address, or a node of it")
def device_tree(debugger: Debugger, args: list[str]) -> str:
    """An ARM guest finds its own at x0 (r2), where it begins."""
    counts(args, 1, 2, "device-tree ADDRESS [PATH]")
    start = address(debugger, args[0], "device-tree")
    try:
        return "\n".join(text(read_tree(reader(debugger.vcpu), start), *args[1:]))
    except DeviceTreeError as error:
        raise CommandError(f"device-tree: {start:#x}: {error}") from None
