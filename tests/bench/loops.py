"""The compute loops: a PV guest, counted exactly, against plain libunicorn and against QEMU's TCG on the same code."""

from __future__ import annotations

import subprocess
from functools import cache, partial
from pathlib import Path
from shutil import which

from tests.bench.bare import assembled, seconds_of_qemu
from tests.bench.guests import seconds_of_guest
from tests.bench.measure import BUILD, Row, measure

HERE = Path(__file__).resolve().parent
# Instructions an iteration (guests/bench/loops.S); of the branch loop on average, its conditions being even coins.
INSNS = {"register": 12.0, "memory": 10.0, "list": 4.0, "branch": 9.5}
NUMBER = {loop: number for number, loop in enumerate(INSNS)}  # as guests/bench/compute.c numbers them
FEW, MANY = 1_000_000, 21_000_000


def rows() -> list[Row]:
    """One line a loop and baseline, in million guest instructions a second."""
    found = []
    for loop in INSNS:
        found.append(
            measure(
                f"loop_{loop}",
                "Minsn/s",
                partial(_ours, loop),
                "stock libunicorn",
                partial(_stock, loop),
                goal=">= 1.2",
            )
        )
        if which("qemu-system-x86_64"):
            found.append(
                measure(
                    f"loop_{loop}_qemu",
                    "Minsn/s",
                    partial(_ours, loop),
                    "qemu-system-x86_64 -accel tcg",
                    partial(_qemu, loop),
                    goal=">= 0.8",
                )
            )
    return found


def _rate(loop: str, seconds: float) -> float:
    return INSNS[loop] * (MANY - FEW) / seconds / 1e6


def _ours(loop: str) -> float:
    many, few = (seconds_of_guest("compute", f"loop={NUMBER[loop]} n={n}") for n in (MANY, FEW))
    return _rate(loop, many - few)


@cache
def _image() -> tuple[Path, dict[str, int]]:
    """(flat binary of the loops at 0x200000, offsets by name)."""
    obj, elf, flat = assembled("loops"), BUILD / "loops.elf", BUILD / "loops.bin"
    subprocess.run(
        ["ld", "-N", "--no-warn-rwx-segments", "-Ttext=0x200000", "-e", "0", str(obj), "-o", str(elf)], check=True
    )
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", str(elf), str(flat)], check=True)
    names = subprocess.run(["nm", str(elf)], check=True, capture_output=True, text=True).stdout.split("\n")
    symbols = {line.split()[2]: int(line.split()[0], 16) - 0x200000 for line in names if " loop_" in line}
    return flat, symbols


@cache
def _stock_program() -> Path:
    import unicorn

    folder = Path(unicorn.__file__).parent
    program = BUILD / "stock"
    _image()
    subprocess.run(
        [
            "gcc",
            "-O2",
            str(HERE / "stock.c"),
            f"-I{folder / 'include'}",
            str(folder / "lib" / "libunicorn.a"),
            "-Wl,--gc-sections",
            "-lm",
            "-lpthread",
            "-o",
            str(program),
        ],
        check=True,
    )
    return program


def _stock(loop: str) -> float:
    flat, symbols = _image()

    def run(n: int) -> float:
        command = [str(_stock_program()), str(flat), str(symbols[f"loop_{loop}"]), str(n)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1e9

    return _rate(loop, run(MANY) - run(FEW))


def _qemu(loop: str) -> float:
    return _rate(loop, seconds_of_qemu("loops", loop, MANY) - seconds_of_qemu("loops", loop, FEW))
