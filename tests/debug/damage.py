"""Damage snapshot files in every way that comes to mind, and see that nothing but a refusal comes of it.

    python -X faulthandler -m tests.debug.damage SEED COUNT FILE...

Half of the files keep their old checksum; the others are made whole again behind the damage, so that what lies behind
the checksum is tried: packed bytes, plain data, and memory, above all the arena's. What loads must pass the audit and
run on.
Prints how many were refused and loaded, as JSON, or ends with a traceback.
"""

from __future__ import annotations

import copy
import gc
import hashlib
import json
import random
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hv.debug import container
from hv.debug.snapshot_file import KIND, SnapshotFileError, load
from hv.hypervisor import Hypervisor
from hv.native import ffi

INTERESTING = (0, 1, 2, 3, 7, 15, 63, 64, 127, 128, 255, 256, 0x7FEF, 0x7FF0, 0x7FF2, 0x7FFF, 0xFFFF, 1 << 17, 1 << 26)
RUN = 100_000


class Sample:
    """A good file, taken apart."""

    def __init__(self, path: str) -> None:
        self.bytes = Path(path).read_bytes()
        with container.Reader(path, KIND) as reader:
            self.about, self.state = reader.json(b"ABOU"), reader.json(b"STAT")
            self.pages = reader.pieces(b"PAGE", 1 << 30)(reader.size(b"PAGE"))
            self.rest = {name: reader.pieces(name, 1 << 30)(reader.size(name)) for name in (b"BLOB", b"DISK")}
        hv = Hypervisor(memory_mib=self.about["memory_mib"])
        state = hv.state  # as long as hv lives
        tables = ("evtchn", "grant", "maptrack", "page", "hvm_vcpu", "hvm_domain", "arm_vcpu", "arm_domain")
        names = [f"{table}_offset" for table in tables]
        self.tables = {name: int(getattr(state, name)) for name in names}
        self.frames = int(state.frames)
        # the arena's pages by their number in it; of the last moment, where there are several
        self.arena = {
            unit - self.frames: at + 8
            for at in range(0, len(self.pages), 4104)
            if (unit := int.from_bytes(self.pages[at : at + 8], "little")) >= self.frames
        }

    def place(self, offset: int) -> int | None:
        """Where a byte of the arena lies in the pages; None: its page is empty."""
        at = self.arena.get(offset // 4096)
        return None if at is None else at + offset % 4096


def number(rng: random.Random, bits: int) -> int:
    """A number of so many bits that is likely to matter."""
    value = rng.choice((rng.choice(INTERESTING), rng.getrandbits(bits), (1 << bits) - 1 - rng.choice(INTERESTING[:6])))
    return value & (1 << bits) - 1


def flip(data: bytearray, rng: random.Random) -> None:
    """Change a few bytes."""
    for _ in range(rng.choice((1, 1, 2, 8))):
        data[rng.randrange(len(data))] = rng.randrange(256)


def raw(sample: Sample, rng: random.Random) -> bytes:
    """Damage to the file as it lies there."""
    data = bytearray(sample.bytes)
    match rng.randrange(4):
        case 0:
            del data[rng.randrange(len(data)) :]
        case 1:
            data += rng.randbytes(rng.randrange(1, 100))
        case 2:
            at = rng.randrange(len(data))
            data[at : at + 64] = rng.randbytes(rng.randrange(128))
        case _:
            flip(data, rng)
    return bytes(data)


def packed(sample: Sample, rng: random.Random) -> bytes:
    """Damage anywhere, with a checksum that is right again."""
    data = bytearray(sample.bytes[:-32])
    if rng.random() < 0.3:
        data[16 + rng.randrange(72)] = rng.randrange(256)
    else:
        flip(data, rng)
    return bytes(data) + hashlib.sha256(data).digest()


def other(value: Any, rng: random.Random) -> Any:
    """Another value in the place of one."""
    if type(value) is int and rng.random() < 0.8:
        return rng.choice((number(rng, 64), number(rng, 16), number(rng, 8), value + 1, value - 1, -value))
    if type(value) is str and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return value[:at] + rng.choice("0123456789abcdef/@\u20ac\ud800 ") + value[at + rng.randrange(2) :]
    return rng.choice((None, True, "", "x" * 70, [], {}, [1, 2], {"a": 1}, 1.5, -1, 1 << 70, value))


def change(value: Any, rng: random.Random) -> Any:
    """One change somewhere inside plain data."""
    if isinstance(value, dict | list) and value and rng.random() < 0.97:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        match rng.randrange(40):
            case 0:
                del value[key]
            case 1 if isinstance(value, list):
                value.append(copy.deepcopy(value[key]))
            case 1:
                value["more"] = 1
            case _:
                value[key] = change(value[key], rng)
        return value
    return other(value, rng)


def leaf(ctype: Any, rng: random.Random) -> tuple[int, int]:
    """(offset, size) of some scalar in a C type."""
    if ctype.kind == "array":
        index = rng.randrange(ctype.length) if rng.random() < 0.3 else rng.randrange(min(ctype.length, 4))
        offset, size = leaf(ctype.item, rng)
        return index * ffi.sizeof(ctype.item) + offset, size
    if ctype.kind == "struct":
        _, field = rng.choice(ctype.fields)
        offset, size = leaf(field.type, rng)
        return field.offset + offset, size
    return 0, ffi.sizeof(ctype)


def field(sample: Sample, rng: random.Random) -> tuple[int, int]:
    """(place in the pages, size) of some field of the arena that lies in a page of the file."""
    tables = (
        (0, "struct hv_state", 1),
        (ffi.offsetof("struct hv_state", "domains"), "struct domain", 1),
        (ffi.offsetof("struct hv_state", "vcpus"), "struct vcpu", 4),
        (sample.tables["evtchn_offset"], "struct evtchn", 16),
        (sample.tables["grant_offset"], "struct active_grant", 16),
        (sample.tables["maptrack_offset"], "struct maptrack", 4),
        (sample.tables["page_offset"], "struct page_info", sample.frames),
        (sample.tables["hvm_vcpu_offset"], "struct hvm_vcpu", 4),
        (sample.tables["hvm_domain_offset"], "struct hvm_domain", 1),
        (sample.tables["arm_vcpu_offset"], "struct arm_vcpu", 4),
        (sample.tables["arm_domain_offset"], "struct arm_domain", 1),
    )
    while True:
        offset, name, count = rng.choice(tables)
        inner, size = leaf(ffi.typeof(name), rng)
        at = sample.place(offset + rng.randrange(count) * ffi.sizeof(name) + inner)
        if at is not None:
            return at, size


def memory(sample: Sample, rng: random.Random) -> bytes:
    """A few fields of the arena, or bytes of any page."""
    data = bytearray(sample.pages)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at, size = field(sample, rng)
        if rng.random() < 0.15:
            size = rng.choice((1, 2, 4, 8))
            at = rng.randrange(0, len(data), 4104) + rng.randrange(4104 // size) * size
        data[at : at + size] = number(rng, 8 * size).to_bytes(size, "little")
    return bytes(data)


def rebuilt(sample: Sample, rng: random.Random, path: Path) -> None:
    """A whole file around damaged contents."""
    about, state, pages = sample.about, sample.state, sample.pages
    devices = ("devices", "devices", "devices") if state["machines"] else ()
    what = rng.choice(("memory", "memory", "memory", "state", "state", "registers", "about", *devices))
    if what == "memory":
        pages = memory(sample, rng)
    elif what == "state":
        state = change(copy.deepcopy(state), rng)
    elif what == "registers":
        state = copy.deepcopy(state)
        for moment in state["moments"]:
            for _, _, registers in moment["cpus"]:
                change(registers, rng)
    elif what == "devices":
        state = copy.deepcopy(state)
        for moment in state["moments"]:
            for domain in moment["domains"]:
                for _ in range(rng.choice((1, 1, 3))):
                    change(rng.choice([*domain["devices"], *domain["backends"]]), rng)
    else:
        about = change(copy.deepcopy(about), rng)
    text = [json.dumps(part).encode() for part in (about, state)]
    rest = {name: [data] for name, data in sample.rest.items()}
    container.write(path, KIND, {b"ABOU": [text[0]], b"STAT": [text[1]], **rest, b"PAGE": [pages]})


def attempt(path: Path) -> str:
    """Load; what loads must be sound and go on. What came of it."""
    try:
        loaded = load(path)
    except SnapshotFileError as error:
        said = str(error)
        assert said.count("\n") == 0 and said.startswith(str(path)), said
        return re.sub(r"[0-9a-f]*[0-9][0-9a-f]*", "N", said.removeprefix(str(path)).split(";")[0])
    hv = loaded.hv
    for snapshot in (loaded.snapshots[-1], loaded.snapshots[0]):
        hv.restore(snapshot)
        assert hv.audit() == ""
        hv.run(max_insns=hv.instructions + RUN)
        assert hv.audit() == ""
    return "loaded"


def main(seed: int, count: int, paths: list[str]) -> Counter[str]:
    """Try `count` damaged files."""
    samples = [Sample(path) for path in paths]
    results: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged"
        for trial in range(count):
            rng = random.Random(seed * 1_000_003 + trial)
            sample = rng.choice(samples)
            if trial % 2:
                path.write_bytes(raw(sample, rng))
            elif rng.random() < 0.15:
                path.write_bytes(packed(sample, rng))
            else:
                rebuilt(sample, rng, path)
            try:
                results[attempt(path)] += 1
            except BaseException:
                sys.stderr.write(f"seed {seed} trial {trial}\n")
                path.replace(Path(tempfile.gettempdir()) / f"damaged-{seed}-{trial}")
                raise
            if trial % 16 == 0:
                gc.collect()
    return results


if __name__ == "__main__":
    found = main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    print(json.dumps(dict(found.most_common())))
