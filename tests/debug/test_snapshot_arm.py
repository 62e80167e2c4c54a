"""Every field of what an ARM domain has of its own, in a snapshot file, set to what it cannot be: refused, or harmless.

tests/debug/damage.py does the same at random, to all of a file; XENLAB_LONG_FUZZ=1 tries every value here.
"""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hv.debug import container
from hv.debug.snapshot_file import KIND, SnapshotFileError, load
from hv.native import ffi
from tests.debug.damage import Sample, attempt
from tests.debug.test_snapshot_file import _good

LONG = bool(os.environ.get("XENLAB_LONG_FUZZ"))
VALUES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x3FF, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 63, (1 << 64) - 1)
BOTH = pytest.mark.parametrize("env", ["arm64", "arm32"])


def leaves(ctype: Any, at: int = 0) -> Iterator[tuple[int, int]]:
    """(offset, size) of each scalar of a C type; of an array, those of its first, second and last element."""
    if ctype.kind == "array":
        for index in sorted({0, 1, ctype.length - 1} & set(range(ctype.length))):
            yield from leaves(ctype.item, at + index * ffi.sizeof(ctype.item))
    elif ctype.kind == "struct":
        for _, field in ctype.fields:
            yield from leaves(field.type, at + field.offset)
    else:
        yield at, ffi.sizeof(ctype)


def some(number: int) -> tuple[int, ...]:
    """The values to try in the n-th field."""
    return VALUES if LONG else (VALUES[-1], VALUES[number % len(VALUES)])


def written(path: Path, sample: Sample, state: Any, pages: bytes) -> Path:
    parts = {name: [data] for name, data in sample.rest.items()}
    texts = (json.dumps(part).encode() for part in (sample.about, state))
    about, plain = ([text] for text in texts)
    container.write(path, KIND, {b"ABOU": about, b"STAT": plain, **parts, b"PAGE": [pages]})
    return path


@BOTH
@pytest.mark.parametrize("table", ["arm_vcpu", "arm_domain"])
def test_every_field_of_the_arena(tmp_path: Path, env: str, table: str) -> None:
    sample, seen, tried = Sample(str(_good(tmp_path / "good", "arm_gic_sgi", env))), Counter[str](), 0
    for number, (offset, size) in enumerate(leaves(ffi.typeof(f"struct {table}"))):
        at = sample.place(sample.tables[f"{table}_offset"] + offset)
        if at is None:
            continue
        for value in some(number):
            pages = bytearray(sample.pages)
            pages[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
            seen[attempt(written(tmp_path / "f", sample, sample.state, bytes(pages)))] += 1
            tried += 1
    assert tried > 50 and 0 < seen["loaded"] < tried, seen
    assert sum("interrupt controller" in said for said in seen) > 4, seen


@BOTH
def test_every_register(tmp_path: Path, env: str) -> None:
    sample, seen = Sample(str(_good(tmp_path / "good", "arm_smp", env))), Counter[str]()
    for number, (name, field) in enumerate(ffi.typeof("struct arm_state").fields):
        for value in some(number):
            state = copy.deepcopy(sample.state)
            for moment in state["moments"]:
                registers = moment["cpus"][0][2]
                if isinstance(registers[name], list):
                    registers[name][-1] = value & (1 << 8 * ffi.sizeof(field.type.item)) - 1
                elif isinstance(registers[name], int):
                    registers[name] = value & (1 << 8 * ffi.sizeof(field.type)) - 1
            seen[attempt(written(tmp_path / "f", sample, state, sample.pages))] += 1
    assert seen["loaded"] > 20 and sum(seen.values()) - seen["loaded"] > 10, seen


IMPOSSIBLE: dict[str, Callable[[Any], None]] = {
    "pstate cannot be": lambda cpu: cpu[2].update(pstate=0x3C9),  # EL2
    "an input cannot be": lambda cpu: cpu[2].update(lines=4),
    "a register that follows from others cannot be": lambda cpu: cpu[2].update(pad=1),
    "x is no list|no number": lambda cpu: cpu[2].update(x=[0] * 30),
    "not the fields|no such|kind": lambda cpu: cpu.__setitem__(1, 0),
}


@pytest.mark.parametrize("why", IMPOSSIBLE)
def test_registers_that_cannot_be_are_named(tmp_path: Path, why: str) -> None:
    sample = Sample(str(_good(tmp_path / "good", "arm_smp", "arm64")))
    IMPOSSIBLE[why](sample.state["moments"][0]["cpus"][0])
    path = written(tmp_path / "f", sample, sample.state, sample.pages)
    with pytest.raises(SnapshotFileError, match=why) as caught:
        load(path)
    assert "\n" not in str(caught.value)
