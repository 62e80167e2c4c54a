"""`make internals`: write native/engine/unicorn_internals.h anew from the sources of libunicorn 2.1.4.

The sources come from PyPI's sdist, which pip downloads; they are configured for x86-64 in a folder under build/, a
program that includes their private headers is compiled, and what it prints is the header. A normal build needs none
of this: the header is committed. Needs gcc and a POSIX shell.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "internals"
ENGINE = ROOT / "native" / "engine"
VERSION = "2.1.4"
TARGET = "x86_64-softmmu"


def sources() -> Path:
    """The unpacked `src` folder of the sdist, downloaded when it is not there yet."""
    folder = WORK / f"unicorn-{VERSION}" / "src"
    if not folder.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--no-binary",
                ":all:",
                "--dest",
                str(WORK),
                f"unicorn=={VERSION}",
            ],
            check=True,
        )
        with tarfile.open(WORK / f"unicorn-{VERSION}.tar.gz") as archive:
            archive.extractall(WORK, filter="data")
    return folder


def configure(src: Path) -> Path:
    """Run libunicorn's own configure script; the folder with the headers that it makes."""
    made = WORK / "configured"
    made.mkdir(exist_ok=True)
    qemu = src / "qemu"
    subprocess.run(
        ["sh", str(qemu / "configure"), "--cc=gcc", f"--target-list={TARGET}"],
        cwd=made,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for name in ("config-host", f"{TARGET}/config-target"):
        with open(made / f"{name}.mak", "rb") as given, open(made / f"{name}.h", "wb") as header:
            subprocess.run(["sh", str(qemu / "scripts" / "create_config")], stdin=given, stdout=header, check=True)
    return made


def print_offsets(src: Path, made: Path) -> str:
    """Compile and run internals/print_offsets.c with the flags of libunicorn's x86-64 target."""
    qemu, program = src / "qemu", WORK / "print_offsets"
    folders = [
        qemu / "tcg" / "i386",
        made / TARGET,
        qemu / "target" / "i386",
        made,
        src / "glib_compat",
        qemu,
        qemu / "include",
        src / "include",
        qemu / "tcg",
    ]
    subprocess.run(
        [
            "gcc",
            "-std=gnu11",
            "-O1",
            "-w",
            "-m64",
            "-mcx16",
            "-DNDEBUG",
            "-D_GNU_SOURCE",
            "-DNEED_CPU_H",
            "-include",
            "x86_64.h",
            *(f"-I{folder}" for folder in folders),
            str(ENGINE / "internals" / "print_offsets.c"),
            "-o",
            str(program),
        ],
        check=True,
    )
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Write the header; says whether it changed."""
    src = sources()
    text = print_offsets(src, configure(src))
    header = ENGINE / "unicorn_internals.h"
    changed = header.read_text() != text
    header.write_text(text)
    print(f"{header.relative_to(ROOT)}: {'changed' if changed else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
