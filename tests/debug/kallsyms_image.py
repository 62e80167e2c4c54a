"""A kernel image with kallsyms, written from the description in Linux's scripts/kallsyms.c: for the reader's tests."""

from __future__ import annotations

import struct
from typing import NamedTuple

from hv.builder.image import Segment

BASE = 0xFFFFFFFF81000000
TEXTS = ("xen_", "start_", "kernel", "init", "_cpu", "sys_", "do_")


class Layout(NamedTuple):
    """What differs between kernels. `order`: "old" (up to 6.3) or "new" (6.4 on)."""

    order: str = "old"
    seqs: bool = False
    percpu: bool = True
    bits: int = 64
    base: int = BASE


class Kernel(NamedTuple):
    """An image: its segment, where each part of the tables lies in it, and its symbols as (name, address)."""

    segment: Segment
    parts: dict[str, range]
    symbols: list[tuple[str, int]]


def symbols(count: int = 700, base: int = BASE, percpu: bool = True) -> list[tuple[str, int]]:
    """Names with their type in front (as the kernel has them) in order of address."""
    found = [(f"Dper_cpu{number}", 64 * number) for number in range(5)] if percpu else []
    found += [("T_text", base), ("Txen_start_kernel", base + 0x40), ("Tstart_kernel", base + 0x80)]
    for number in range(count - len(found) - 1):
        letter = "tTdDbr"[number % 6]
        found.append((f"{letter}do_init_{number * 7919 % 10007}_cpu", base + 0x100 + 0x10 * number))
    return [*found, ("t" + "long_" * 60, base + 0x10 * count + 0x1000)]


def kernel(layout: Layout = Layout(), count: int = 700) -> Kernel:  # noqa: B008 - immutable
    """An image with `count` symbols."""
    named = symbols(count, layout.base, layout.percpu)
    word = layout.bits // 8
    tokens = _token_texts({char for name, _ in named for char in name})
    packed = [_pack(name, tokens) for name, _ in named]
    markers = [sum(len(name) for name in packed[:at]) for at in range(0, len(packed), 256)]
    table = [token.encode() + b"\0" for token in tokens]
    starts = [sum(len(token) for token in table[:at]) for at in range(256)]
    pointer = "<Q" if word == 8 else "<I"
    content = {
        "offsets": b"".join(_offset(address, layout) for _, address in named),
        "base": struct.pack(pointer, layout.base),
        "count": struct.pack("<I", len(named)),
        "names": b"".join(packed),
        "markers": struct.pack(f"<{len(markers)}I", *markers),
        "seqs": b"".join(number.to_bytes(3, "big") for number in range(len(named))) if layout.seqs else b"",
        "tokens": b"".join(table),
        "index": struct.pack("<256H", *starts),
    }
    old = ("offsets", "base", "count", "names", "markers", "seqs", "tokens", "index")
    new = ("count", "names", "markers", "tokens", "index", "offsets", "base", "seqs")
    data, parts = bytearray(b"\xcc" * 0x4000), {}
    for name in old if layout.order == "old" else new:
        data += bytes(-len(data) % word)
        parts[name] = range(len(data), len(data) + len(content[name]))
        data += content[name]
    data += b"\x55\xaa" * 0x800
    size = max(len(data), 0x10 * count + 0x3000)
    return Kernel(Segment(0x1000000, layout.base, memoryview(bytes(data)), size, 5), parts,
                  [(name[1:], address) for name, address in named])


def damaged(made: Kernel, changes: dict[int, int]) -> Segment:
    """The segment with some bytes changed."""
    data = bytearray(made.segment.data)
    for at, value in changes.items():
        data[at] = value
    return made.segment._replace(data=memoryview(bytes(data)))


def _token_texts(used: set[str]) -> list[str]:
    """Characters that names use (and all digits) stand for themselves, other bytes for longer texts, or for none."""
    free = iter(TEXTS)
    keep = used | set("0123456789")
    return [chr(code) if chr(code) in keep else next(free, "") for code in range(256)]


def _pack(name: str, tokens: list[str]) -> bytes:
    out = []
    while name:
        code = max((c for c in range(256) if tokens[c] and name.startswith(tokens[c])), key=lambda c: len(tokens[c]))
        out.append(code)
        name = name[len(tokens[code]):]
    length = bytes([len(out)]) if len(out) < 128 else bytes([len(out) & 127 | 128, len(out) >> 7])
    return length + bytes(out)


def _offset(address: int, layout: Layout) -> bytes:
    if not layout.percpu:
        return struct.pack("<I", address - layout.base)
    return struct.pack("<i", address if address < layout.base else layout.base - 1 - address)
