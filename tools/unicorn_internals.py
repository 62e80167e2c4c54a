"""`make internals`: write native/engine/*/unicorn_internals.h anew from the sources of libunicorn 2.1.4.

The sources come from PyPI's sdist, which pip downloads; they are configured for each target in a folder under build/, a
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

# Our folder of an architecture: libunicorn's target, its folder in the sources, the header that renames its symbols.
TARGETS = {
    "x86": ("x86_64-softmmu", "i386", "x86_64.h"),
    "arm": ("aarch64-softmmu", "arm", "aarch64.h"),
}


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


def configure(src: Path, target: str) -> Path:
    """Run libunicorn's own configure script; the folder with the headers that it makes."""
    made = WORK / target
    made.mkdir(exist_ok=True)
    qemu = src / "qemu"
    subprocess.run(
        ["sh", str(qemu / "configure"), "--cc=gcc", f"--target-list={target}"],
        cwd=made,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for name in ("config-host", f"{target}/config-target"):
        with open(made / f"{name}.mak", "rb") as given, open(made / f"{name}.h", "wb") as header:
            subprocess.run(["sh", str(qemu / "scripts" / "create_config")], stdin=given, stdout=header, check=True)
    return made


def print_offsets(src: Path, architecture: str) -> str:
    """Compile and run internals/ARCHITECTURE.c with the flags of libunicorn's target."""
    target, folder, renames = TARGETS[architecture]
    made = configure(src, target)
    qemu, program = src / "qemu", WORK / f"print_{architecture}"
    folders = [
        qemu / "tcg" / "i386",
        made / target,
        qemu / "target" / folder,
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
            renames,
            *(f"-I{path}" for path in folders),
            str(ENGINE / "internals" / f"{architecture}.c"),
            "-o",
            str(program),
        ],
        check=True,
    )
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Write the headers; says which changed."""
    src = sources()
    for architecture in TARGETS:
        text = print_offsets(src, architecture)
        header = ENGINE / architecture / "unicorn_internals.h"
        changed = not header.exists() or header.read_text() != text
        header.write_text(text)
        print(f"{header.relative_to(ROOT)}: {'changed' if changed else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
