"""A reader of flattened device trees of our own, so that what libfdt writes is read by other code.

Source: Devicetree Specification 0.4, chapter 5.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

BEGIN, END, PROPERTY, NOP, LAST = 1, 2, 3, 4, 9


@dataclass
class Node:
    properties: dict[str, bytes] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)

    def node(self, path: str) -> Node:
        """The node at /a/b."""
        here = self
        for name in path.strip("/").split("/"):
            here = here.children[name]
        return here

    def cells(self, name: str) -> list[int]:
        value = self.properties[name]
        return list(struct.unpack(f">{len(value) // 4}I", value))

    def texts(self, name: str) -> list[str]:
        value = self.properties[name]
        assert value.endswith(b"\0")
        return value[:-1].decode().split("\0")

    def ranges(self, name: str = "reg") -> list[tuple[int, int]]:
        """Pairs of 64-bit numbers."""
        cells = self.cells(name)
        words = [high << 32 | low for high, low in zip(cells[::2], cells[1::2], strict=True)]
        return list(zip(words[::2], words[1::2], strict=True))


def read(data: bytes) -> Node:
    """The root of a tree, whose every byte is accounted for."""
    magic, size, structure, strings, _, version, compatible, _, names, bytes_ = struct.unpack_from(">10I", data)
    assert (magic, size) == (0xD00DFEED, len(data)) and compatible <= 17 <= version
    assert strings + names <= size and structure + bytes_ <= size
    root, stack, at = Node(), [], structure
    while True:
        (token,) = struct.unpack_from(">I", data, at)
        at += 4
        if token == BEGIN:
            name = data[at : data.index(b"\0", at)].decode()
            at += (len(name) + 4) & ~3
            if stack:
                assert name not in stack[-1].children
                stack.append(stack[-1].children.setdefault(name, Node()))
            else:
                assert name == ""
                stack.append(root)
        elif token == END:
            stack.pop()
        elif token == PROPERTY:
            length, offset = struct.unpack_from(">II", data, at)
            name = data[strings + offset : data.index(b"\0", strings + offset)].decode()
            assert name not in stack[-1].properties
            stack[-1].properties[name] = data[at + 8 : at + 8 + length]
            at += 8 + ((length + 3) & ~3)
        elif token != NOP:
            assert token == LAST and not stack and at == structure + bytes_
            return root
