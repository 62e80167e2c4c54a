"""What was written to a disk: blocks by number, as an immutable value.

An overlay is a tree of nodes with 64 branches. Writing makes the few nodes on the way anew and shares the others, so a
snapshot keeps an overlay by keeping a reference, and thousands of them cost what differs. Its digest is a tree of
SHA-256, made when it is asked for and kept in the nodes: it costs what was written since it was asked for last.

Equal contents have equal trees, in whatever order they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

BLOCK = 4096
"""Bytes of a block."""
_FAN_BITS = 6
_FAN = 1 << _FAN_BITS
_ZEROS = bytes(BLOCK)
_NOTHING = bytes(32)


class _Block:
    """A block's contents, with their digest once it was asked for."""

    __slots__ = ("_digest", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._digest = b""

    def digest(self) -> bytes:
        if not self._digest:
            import hashlib  # OpenSSL comes with it: only who asks for a hash pays

            self._digest = hashlib.sha256(self.data).digest()
        return self._digest


class _Node:
    """64 blocks or nodes, None where nothing was written. Never changed once it is part of an overlay."""

    __slots__ = ("_digest", "below")

    def __init__(self, below: Sequence[_Node | _Block | None]) -> None:
        self.below = tuple(below)
        self._digest = b""

    def digest(self) -> bytes:
        if not self._digest:
            import hashlib

            parts = (_NOTHING if item is None else item.digest() for item in self.below)
            self._digest = hashlib.sha256(b"".join(parts)).digest()
        return self._digest


_EMPTY = _Node((None,) * _FAN)
_ZERO_BLOCK = _Block(_ZEROS)


class Overlay:
    """Blocks by number, from 0 to `capacity` - 1. Immutable; `count` is how many blocks there are."""

    __slots__ = ("_height", "_root", "capacity", "count")

    def __init__(self, capacity: int, root: _Node = _EMPTY, count: int = 0) -> None:
        self.capacity = capacity
        self.count = count
        self._root = root
        self._height = max(-(-(capacity - 1).bit_length() // _FAN_BITS), 1)

    def get(self, number: int) -> bytes | None:
        """The contents of a block; None: it was not written."""
        item: _Node | _Block | None = self._root
        for level in range(self._height - 1, -1, -1):
            if item is None:
                return None
            assert isinstance(item, _Node)
            item = item.below[number >> level * _FAN_BITS & _FAN - 1]
        return item.data if isinstance(item, _Block) else None

    def put(self, first: int, blocks: Sequence[bytes]) -> Overlay:
        """The overlay with neighbouring blocks, BLOCK bytes each, from `first` on. IndexError: beyond the end."""
        if not 0 <= first <= first + len(blocks) <= self.capacity:
            raise IndexError(f"blocks {first} to {first + len(blocks)} of {self.capacity}")
        made = [_ZERO_BLOCK if data == _ZEROS else _Block(data) for data in blocks]
        root, new = _put(self._root, self._height - 1, first, made)
        return Overlay(self.capacity, root, self.count + new)

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """(number, contents) of each block, by number."""
        return _walk(self._root, self._height - 1, 0)

    def changes(self, since: Overlay) -> list[tuple[int, bytes]] | None:
        """What must be put into `since` to make it this one: (number, contents) of each block, by number. None: nothing
        can, as it has blocks that are not here, or another size. It costs what differs."""
        if since.capacity != self.capacity:
            return None
        found: list[tuple[int, bytes]] = []
        return found if _differ(self._root, since._root, self._height - 1, 0, found) else None

    def digest(self) -> bytes:
        """32 bytes: SHA-256 of what was written, and of nothing else."""
        return self._root.digest()

    def __repr__(self) -> str:
        return f"Overlay({self.count} of {self.capacity} blocks, {self.digest().hex()})"


def from_blocks(capacity: int, blocks: Iterable[tuple[int, bytes]]) -> Overlay:
    """The overlay with just these blocks: what blocks() gave. IndexError, ValueError: not such blocks."""
    overlay = Overlay(capacity)
    for number, data in blocks:
        if len(data) != BLOCK:
            raise ValueError(f"block {number} has {len(data)} bytes")
        overlay = overlay.put(number, [data])
    return overlay


def _put(node: _Node | None, level: int, first: int, made: list[_Block]) -> tuple[_Node, int]:
    """(the node with the blocks, how many of them are new); `first` counts from the node's own first block."""
    below: list[_Node | _Block | None] = list((node or _EMPTY).below)
    new = done = 0
    while done < len(made):
        number = first + done
        slot = number >> level * _FAN_BITS
        if level == 0:
            new += below[slot] is None
            below[slot] = made[done]
            done += 1
            continue
        inside = number & (1 << level * _FAN_BITS) - 1
        part = made[done : done + (1 << level * _FAN_BITS) - inside]
        child = below[slot]
        assert child is None or isinstance(child, _Node)
        below[slot], added = _put(child, level - 1, inside, part)
        new += added
        done += len(part)
    return _Node(below), new


def _differ(node: _Node, old: _Node, level: int, base: int, found: list[tuple[int, bytes]]) -> bool:
    """Append what the first has and the second has not; whether there is nothing that it has not."""
    for slot, (item, before) in enumerate(zip(node.below, old.below, strict=True)):
        number = base + (slot << level * _FAN_BITS)
        if item is before:
            continue
        if item is None:
            return False
        if isinstance(item, _Block):
            if not isinstance(before, _Block) or before.data != item.data:
                found.append((number, item.data))
        elif not _differ(item, before if isinstance(before, _Node) else _EMPTY, level - 1, number, found):
            return False
    return True


def _walk(node: _Node, level: int, base: int) -> Iterator[tuple[int, bytes]]:
    for slot, item in enumerate(node.below):
        number = base + (slot << level * _FAN_BITS)
        if isinstance(item, _Block):
            yield number, item.data
        elif item is not None:
            yield from _walk(item, level - 1, number)
