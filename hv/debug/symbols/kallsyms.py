"""The symbols that a Linux kernel carries in its own image (CONFIG_KALLSYMS), found without any pointer to them.

Names are packed: a byte stands for a token, one of 256 short texts (Linux, scripts/kallsyms.c). The parts, each
aligned to a word, follow each other in .rodata:

    up to 6.3   offsets, relative_base, num_syms, names, markers, [6.2 on: seqs_of_names,] token_table, token_index
    from 6.4    num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names

The token table is the one part that can be recognised: the digits stand for themselves, so "0", "1" ... "9" follow
each other in it. Its index proves it. Then the markers (position of every 256th name) are found before it, and names
and their number before these. Nothing is believed: each part must fit the next.
"""

from __future__ import annotations

import re
import struct
from array import array
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from hv.debug.symbols.table import Entry, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hv.builder.image import Segment

_DIGITS = re.compile(b"".join(b"%d\0" % digit for digit in range(10)))
_INDEX = struct.Struct("<256H")
_TOKENS_END = 1 << 16  # the index has 16 bits
_HITS = 64  # places that look like the digits of a token table, in one segment; or like markers
_TABLES = 2  # token tables that are looked at further: a kernel has one
_GROUP = 256  # names between two markers
_SHORTEST, _LONGEST = 2 * _GROUP, 1 << 18  # bytes of a group of names
_SEQ = 3  # bytes of an entry of seqs_of_names
_TWO_MARKERS = re.compile(rb"(?=\0{4}[\0-\xff](?:[\x02-\xff][\0-\x03]|[\0-\x01][\x01-\x03])\0)")  # 0, then 512 and up
_WINDOW = 2 << 20  # bytes before the token table in which markers are looked for
_MAX_SYMBOLS = 1 << 22
_MAX_NAME = 1024  # twice Linux's KSYM_NAME_LEN
_RANKS = {"T": 3, "W": 3, "t": 2, "w": 2} | dict.fromkeys("ABDRSV", 1)  # functions first, then what is global


class KallsymsError(Exception):
    """There are tables, but they contradict themselves; the text says where."""


class _Tokens(NamedTuple):
    """Where the token table starts and its index ends, in bytes of the segment, and the tokens."""

    start: int
    end: int
    texts: list[str]


class _Names(NamedTuple):
    """The packed names, [start, end) of the segment, and how many."""

    start: int
    end: int
    total: int


def find_kallsyms(segments: Sequence[Segment], bits: int) -> list[Entry]:
    """The symbols in the kernel's segments; none when it has no tables. KallsymsError when they are damaged."""
    word = bits // 8
    complaint = None
    for data, tokens in islice(_token_tables(segments, word), _TABLES):
        try:
            return _read(segments, data, tokens, word)
        except KallsymsError as error:
            complaint = error
    if complaint is not None:
        raise complaint
    return []


def _token_tables(segments: Sequence[Segment], word: int) -> Iterator[tuple[memoryview, _Tokens]]:
    """The token tables, with the segment's bytes in which each lies."""
    for segment in segments:
        if segment.vaddr % word:
            continue
        for hit in islice(_DIGITS.finditer(segment.data), _HITS):
            tokens = _tokens(segment.data, hit.start(), word)
            if tokens is not None:
                yield segment.data, tokens


def _align(position: int, word: int) -> int:
    return (position + word - 1) & -word


def _tokens(data: memoryview, digits: int, word: int) -> _Tokens | None:
    """The table whose token for "0" is at `digits`, if its index says so too."""
    tail = bytes(data[digits : digits + _TOKENS_END]).split(b"\0", 256 - ord("0"))
    if len(tail) <= 256 - ord("0"):
        return None
    end = digits + sum(len(text) + 1 for text in tail[:-1])
    at = _align(end, word)
    if at + _INDEX.size > len(data):
        return None
    index = _INDEX.unpack_from(data, at)
    start = digits - index[ord("0")]
    if start < 0 or start % word:
        return None
    texts = bytes(data[start:end]).split(b"\0")[:-1]
    position, expected = 0, []
    for text in texts:
        expected.append(position)
        position += len(text) + 1
    if tuple(expected) != index:
        return None
    return _Tokens(start, at + _INDEX.size, [printable(text[:_MAX_NAME]) for text in texts])


def _read(segments: Sequence[Segment], data: memoryview, tokens: _Tokens, word: int) -> list[Entry]:
    names = _names(data, tokens.start, word)
    if names is None:
        raise KallsymsError("no names fit its token table")
    for start in (_align(tokens.end, word), names.start - 2 * word - _align(4 * names.total, word)):
        addresses = _addresses(segments, data, start, names.total, word)
        if addresses is not None:
            return list(_entries(data, names, tokens.texts, *addresses))
    raise KallsymsError("no addresses fit its names")


# ---- markers and names ----


def _names(data: memoryview, tokens_start: int, word: int) -> _Names | None:
    for markers, last, groups in islice(_markers(data, tokens_start, word), _HITS):
        found = _before(data, markers, last, groups, word)
        if found is not None:
            return found
    return None


def _markers(data: memoryview, end: int, word: int) -> Iterator[tuple[int, int, int]]:
    """Arrays that may be the markers: (position, last value, how many). They start with 0 and ascend."""
    low = max(end - _WINDOW, end % word)
    values = data[low:end].cast("I")
    # Right before the token table, perhaps with a word of padding.
    for last in range(len(values) - 1, len(values) - 1 - word // 4, -1):
        first = last
        while first > 0 and _SHORTEST <= values[first] - values[first - 1] <= _LONGEST:
            first -= 1
        if first >= 0 and values[first] == 0:
            yield low + 4 * first, values[last], last - first + 1
    # With seqs_of_names between the two, whose size must fit (two groups or more: one would be anything's zero).
    for hit in _TWO_MARKERS.finditer(data[low:end]):
        if hit.start() % 4:
            continue
        first = hit.start() // 4
        last = first + 1
        while last + 1 < len(values) and _SHORTEST <= values[last + 1] - values[last] <= _LONGEST:
            last += 1
        groups = last - first + 1
        rest = 4 * len(values) - _align(4 * (first + groups), word)
        if _SEQ * _GROUP * (groups - 1) < rest < _SEQ * _GROUP * groups + word:
            yield low + 4 * first, values[last], groups


def _before(data: memoryview, markers: int, last: int, groups: int, word: int) -> _Names | None:
    """The names that end at `markers`: the number before their start must lead to their end exactly."""
    highest = markers - last - 2
    for start in range(highest - highest % word, max(highest - _LONGEST, word) - 1, -word):
        count = int.from_bytes(data[start - word : start], "little")
        in_last = count - _GROUP * (groups - 1)
        if not 0 < in_last <= _GROUP or count > _MAX_SYMBOLS:
            continue
        if _align(_skip(data, start + last, in_last, markers), word) == markers:
            return _Names(start, markers, count)
    return None


def _skip(data: memoryview, at: int, count: int, end: int) -> int:
    """The position behind `count` packed names from `at` on; anything else than `end` when they do not fit."""
    for _ in range(count):
        if at >= end:
            return -1
        length = data[at]
        if length > 127 and at + 1 < end:  # two bytes, from Linux 6.1 on
            length = (length & 127 | data[at + 1] << 7) + 1
        at += length + 1
    return at


# ---- addresses ----


def _addresses(
    segments: Sequence[Segment], data: memoryview, start: int, count: int, word: int
) -> tuple[Sequence[int], int] | None:
    """The addresses (ascending), and how many of them are absolute, from the offsets at `start`; None: they are not
    there. With CONFIG_KALLSYMS_ABSOLUTE_PERCPU an offset is negative, -1 being the base, or an absolute number."""
    base_at = _align(start + 4 * count, word)
    if start < 0 or base_at + word > len(data):
        return None
    base = int.from_bytes(data[base_at : base_at + word], "little")
    if not any(segment.vaddr <= base < segment.vaddr + segment.memsz for segment in segments):
        return None
    offsets = array("i", bytes(data[start : start + 4 * count]))
    absolute = 0
    if min(offsets) < 0:
        absolute = sum(1 for offset in offsets if offset >= 0)
        addresses = [offset if offset >= 0 else base - 1 - offset for offset in offsets]
    else:
        addresses = [base + offset for offset in offsets]
    if addresses != sorted(addresses):
        return None
    return addresses, absolute


def _entries(
    data: memoryview, names: _Names, tokens: list[str], addresses: Sequence[int], absolute: int
) -> Iterator[Entry]:
    """The first byte of a name is its type, as nm(1) has it; a capital letter is a global symbol."""
    packed = bytes(data[names.start : names.end])
    at = 0
    for number, address in enumerate(addresses):
        if at + 1 >= len(packed):
            raise KallsymsError(f"its names end at number {number} of {names.total}")
        length = packed[at]
        at += 1
        if length > 127:
            length = length & 127 | packed[at] << 7
            at += 1
        text = "".join([tokens[token] for token in packed[at : at + length]])
        at += length
        if not 2 <= len(text) <= _MAX_NAME:
            raise KallsymsError(f"name number {number} has {len(text)} characters")
        yield Entry(address, 0, text[1:], _RANKS.get(text[0], 0), number < absolute)
