"""A flattened device tree as text, in the source form that dtc reads and writes.

Source: Devicetree Specification 0.4, chapter 5 and appendix A. The blob is read by libfdt (the package pylibfdt;
docs/adr/0012).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

HEADER_BYTES = 40
MAGIC = 0xD00DFEED
MOST = 2 << 20
"""Bytes of a tree, at most: what Linux takes."""
DEEPEST = 64
_INDENT = "    "


class DeviceTreeError(Exception):
    """There is no device tree, or none that holds together; the text says why."""


def read_tree(read: Callable[[int, int], bytes | None], address: int) -> bytes:
    """The blob at `address`; `read(address, length)` gives bytes, or None where not all are there. DeviceTreeError."""
    header = read(address, HEADER_BYTES)
    if header is None:
        raise DeviceTreeError("memory there is not mapped")
    magic, size = struct.unpack_from(">II", header)
    if magic != MAGIC:
        raise DeviceTreeError(f"it begins with {magic:#010x}, and a device tree with {MAGIC:#x}")
    if not HEADER_BYTES <= size <= MOST:
        raise DeviceTreeError(f"its header says {size:,} bytes; {HEADER_BYTES} to {MOST:,} can be")
    blob = read(address, size)
    if blob is None:
        raise DeviceTreeError(f"not all of its {size:,} bytes are mapped")
    return blob


def text(blob: bytes, path: str = "/") -> Iterator[str]:
    """The lines of the node at `path`, and of those below it. DeviceTreeError: there is no such node, the tree is
    broken, or the library is missing."""
    try:
        import libfdt
    except ModuleNotFoundError as error:
        if error.name not in ("libfdt", "_libfdt"):
            raise
        raise DeviceTreeError("the package pylibfdt is missing; pip install pylibfdt") from None
    try:
        libfdt.check_err(libfdt.fdt_check_full(bytearray(blob), len(blob)))
        tree = libfdt.FdtRo(blob)
        names = tree.off_dt_strings()
        if not blob[names : names + tree.size_dt_strings()].isascii():
            raise DeviceTreeError("it is broken (a property's name is no text)")  # the library cannot say that itself
        start = tree.path_offset(path, (libfdt.NOTFOUND, libfdt.BADPATH))
        if start < 0:
            raise DeviceTreeError(f"there is no node {path}; a path begins with /")
        if start == 0:
            yield "/dts-v1/;"
        yield from _nodes(tree, start, libfdt.NOTFOUND)
    except libfdt.FdtException as error:
        raise DeviceTreeError(f"it is broken ({libfdt.strerror(error.err)})") from None
    except UnicodeError:
        raise DeviceTreeError("it is broken (a node's name is no text)") from None


def _nodes(tree: Any, node: int, not_found: int) -> Iterator[str]:
    depth, opened = 0, 0
    while depth >= 0:
        yield from _closed(opened, depth)
        if depth >= DEEPEST:
            raise DeviceTreeError(f"its nodes are nested deeper than {DEEPEST}")
        inside = _INDENT * depth
        yield f"{inside}{_name(tree.get_name(node)) or '/'} {{"
        for name, value in _properties(tree, node, not_found):
            yield f"{inside}{_INDENT}{_name(name)}{shown(value)};"
        opened = depth + 1
        node, depth = tree.next_node(node, depth, (not_found,))
        if node < 0:
            break
    yield from _closed(opened, 0)


def _closed(opened: int, depth: int) -> Iterator[str]:
    for level in reversed(range(depth, opened)):
        yield f"{_INDENT * level}}};"


def _name(found: str) -> str:
    """Whoever wrote the tree does not write to our terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in found)


def _properties(tree: Any, node: int, not_found: int) -> Iterator[tuple[str, bytes]]:
    offset = tree.first_property_offset(node, (not_found,))
    while offset >= 0:
        found = tree.get_property_by_offset(offset)
        yield found.name, bytes(found)
        offset = tree.next_property_offset(offset, (not_found,))


def shown(value: bytes) -> str:
    """A property's value behind its name: texts, cells of 32 bits, or bytes, by what it looks like; nothing of an
    empty one."""
    if not value:
        return ""
    texts = value[:-1].split(b"\0")
    if value == b"\0" or (value[-1] == 0 and all(part and all(32 <= byte < 127 for byte in part) for part in texts)):
        return " = " + ", ".join(f'"{_escaped(part.decode())}"' for part in texts)
    if len(value) % 4 == 0:
        return " = <" + " ".join(f"{cell:#x}" for (cell,) in struct.iter_unpack(">I", value)) + ">"
    return f" = [{value.hex(' ')}]"


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace('"', '\\"')
