"""The engine on a bench: a machine with flat page tables and no hypervisor, built from the same C files."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI

from tests.once import made_once

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "tests" / "engine"

CODE = 0x400000
STACK = 0x500000
DATA = 0x600000
CODE_FRAME, STACK_FRAME, DATA_FRAME = 0x100, 0x140, 0x180


def _build() -> Any:
    """native/build.py"""
    import importlib.util

    spec = importlib.util.spec_from_file_location("native_build", ROOT / "native" / "build.py")
    assert spec is not None and spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    return build


def _library() -> Path:
    build = _build()
    folder = ROOT / "native" / "engine"
    parts = [path for path in sorted(folder.rglob("*.[ch]")) if path.parent.name != "internals"]
    engine = [*parts, *sorted(HERE.glob("*harness.[ch]"))]
    flags = repr(build.sanitizers()).encode()
    digest = hashlib.sha256(flags + b"".join(path.read_bytes() for path in engine)).hexdigest()[:16]
    library = BUILD / f"engine-{digest}.so"
    unicorn = build.unicorn_folder()
    return made_once(
        library,
        lambda output: subprocess.run(
            [
                "gcc",
                "-std=c11",
                "-O2",
                "-g1",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-D_GNU_SOURCE",
                *build.sanitizers(),
                *build.defines(),
                "-shared",
                "-fPIC",
                f"-I{ROOT / 'native'}",
                f"-I{HERE}",
                f"-I{unicorn / 'include'}",
                *(str(path) for path in engine if path.suffix == ".c" and path.parent.name != "target"),
                str(unicorn / "lib" / "libunicorn.a"),
                *build.wraps(),
                "-Wl,--gc-sections",
                "-lm",
                "-lpthread",
                "-o",
                str(output),
            ],
            check=True,
        ),
    )


@pytest.fixture(scope="session")
def engine() -> tuple[FFI, Any]:
    """(ffi, lib) of the harness."""
    ffi = FFI()
    text = subprocess.run(
        ["gcc", "-E", "-P", "-DXENLAB_CFFI", *_build().defines(), f"-I{ROOT / 'native'}", str(HERE / "arm_harness.h")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    ffi.cdef(text)
    return ffi, ffi.dlopen(str(_library()))


def assemble(source: str) -> bytes:
    """Machine code of x86-64 assembly (Intel syntax), placed at CODE."""
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / f"{hashlib.sha256(source.encode()).hexdigest()[:20]}.bin"
    if not path.exists():
        stem = path.with_suffix(f".{os.getpid()}")
        text = f".intel_syntax noprefix\n.code64\n.globl _start\n_start:\n{source}\n"
        subprocess.run(
            [
                "gcc",
                "-x",
                "assembler",
                "-",
                "-nostdlib",
                "-static",
                "-Wl,-N,--no-warn-rwx-segments,--build-id=none",
                f"-Wl,-Ttext={CODE:#x}",
                "-o",
                f"{stem}.elf",
            ],
            input=text,
            text=True,
            check=True,
        )
        subprocess.run(["objcopy", "-O", "binary", "-j", ".text", f"{stem}.elf", f"{stem}.raw"], check=True)
        Path(f"{stem}.elf").unlink()
        Path(f"{stem}.raw").rename(path)
    return path.read_bytes()


class Bench:
    """One machine, its cpus, 64 pages each of code, stack and data, mapped readable, writable and executable."""

    def __init__(self, engine: tuple[FFI, Any], cpus: int = 1) -> None:
        self.ffi, self.lib = engine
        self.c = self.lib.bench_create(2048)
        self.machine = self.lib.bench_machine(self.c)
        self.cpus = []
        for _ in range(cpus):
            out = self.ffi.new("struct cpu **")
            assert self.lib.cpu_create(self.machine, 0, out) == 0
            self.cpus.append(out[0])
        self.exit = self.ffi.new("struct cpu_exit *")
        for page in range(64):
            self.map(CODE + page * 4096, CODE_FRAME + page)
            self.map(STACK + page * 4096, STACK_FRAME + page)
            self.map(DATA + page * 4096, DATA_FRAME + page)

    def map(self, va: int, frame: int, flags: int = 7) -> None:
        self.lib.bench_map(self.c, va, frame, flags)

    def load(self, source: str, cpu: int = 0) -> None:
        """Assemble, write at CODE, and put the cpu there."""
        self.write(CODE_FRAME << 12, assemble(source))
        self.start(cpu=cpu)

    def start(self, rip: int = CODE, cpu: int = 0) -> None:
        self.lib.bench_reset(self.c, self.cpus[cpu], rip, STACK + 0x10000)

    def write(self, pa: int, data: bytes) -> None:
        assert self.lib.machine_write(self.machine, pa, data, len(data)) == 0

    def read(self, pa: int, length: int) -> bytes:
        out = self.ffi.new("unsigned char[]", length)
        assert self.lib.machine_read(self.machine, pa, out, length) == 0
        return bytes(self.ffi.buffer(out, length))

    def run(self, budget: int = 1 << 40, cpu: int = 0) -> tuple[int, int]:
        """(exit reason, instructions retired)."""
        reason = self.lib.bench_run(self.c, self.cpus[cpu], budget, self.exit)
        return reason, self.lib.cpu_retired(self.cpus[cpu])

    def finish(self, cpu: int = 0, budget: int = 1 << 40) -> int:
        """Run to the `syscall` with rax = 0 that ends a program; instructions retired."""
        reason, retired = self.run(budget, cpu)
        at = (reason, self.exit.vector, hex(self.exit.address), hex(self.reg("rip")))
        assert reason == self.lib.EXIT_HYPERCALL, at
        return retired

    def reg(self, name: str, cpu: int = 0) -> int:
        return int(getattr(self.lib.cpu_gprs(self.cpus[cpu]), name))

    def digest(self, cpu: int = 0) -> str:
        """Of registers and of all mapped memory."""
        state = self.ffi.new("struct x86_state *")
        self.lib.cpu_get_state(self.cpus[cpu], state)
        sha = hashlib.sha256(bytes(self.ffi.buffer(state)))
        sha.update(self.read(0, 2048 << 12))
        return sha.hexdigest()

    def traps(self) -> list[tuple[int, int, int, int, int]]:
        """(vector, error, address, retired, rip) of each trap so far."""
        n = self.lib.BENCH_LOG
        traps, when, rip = self.ffi.new("struct trap[]", n), self.ffi.new("int64_t[]", n), self.ffi.new("uint64_t[]", n)
        count = self.lib.bench_log(self.c, traps, when, rip, n)
        return [(traps[i].vector, traps[i].error, traps[i].address, when[i], rip[i]) for i in range(count)]

    def close(self) -> None:
        self.lib.bench_destroy(self.c)


@pytest.fixture
def bench(engine: tuple[FFI, Any]) -> Iterator[Bench]:
    """A Bench with one cpu."""
    it = Bench(engine)
    yield it
    it.close()


@pytest.fixture
def bench2(engine: tuple[FFI, Any]) -> Iterator[Bench]:
    """A Bench with two cpus on the same memory."""
    it = Bench(engine, cpus=2)
    yield it
    it.close()
