"""ARM cpus of the engine on a bench: memory from BENCH_RAM on, assembly in it, no hypervisor."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cffi import FFI
from elftools.elf.elffile import ELFFile

from .conftest import BUILD

RAM = 0x4000_0000
FRAMES = 2048
VECTORS, CODE, STACK, DATA, TABLES = RAM + 0x800, RAM + 0x10000, RAM + 0x60000, RAM + 0x80000, RAM + 0x100000
DEVICE = 0x900_0000
X86_64, ARM64, ARM32 = 0, 1, 2


def assemble(source: str, target: str = "aarch64") -> bytes:
    """Machine code of AArch64 (or AArch32: `arm`) assembly; it refers to nothing but itself.

    Thumb: `arm` with `.thumb` in the text."""
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / f"{hashlib.sha256(f'{target} {source}'.encode()).hexdigest()[:20]}.bin"
    if not path.exists():
        stem = path.with_suffix(f".{os.getpid()}")
        Path(f"{stem}.s").write_text(f".globl _start\n_start:\n{source}\n")
        subprocess.run(
            [
                *(sys.executable, "-m", "ziglang", "cc", "-target", f"{target}-freestanding-none"),
                *(("-mcpu=cortex_a15",) if target == "arm" else ()),
                *("-c", f"{stem}.s", "-o", f"{stem}.elf"),
            ],
            check=True,
        )
        with open(f"{stem}.elf", "rb") as file:
            text = ELFFile(file).get_section_by_name(".text")
            assert text is not None
            Path(f"{stem}.raw").write_bytes(text.data())
        Path(f"{stem}.elf").unlink()
        Path(f"{stem}.s").unlink()
        Path(f"{stem}.raw").rename(path)
    return path.read_bytes()


class ArmBench:
    """One machine with cpus at EL1, MMU off, and what they do to it."""

    def __init__(self, engine: tuple[FFI, Any], cpus: int = 1, model: int = ARM64) -> None:
        self.ffi, self.lib = engine
        self.b = self.lib.arm_bench_create(FRAMES)
        self.machine = self.lib.arm_bench_machine(self.b)
        self.cpus = []
        for _ in range(cpus):
            out = self.ffi.new("struct cpu **")
            assert self.lib.cpu_create(self.machine, model, out) == 0
            self.cpus.append(out[0])
        self.exit: Any = self.ffi.new("struct cpu_exit *")

    def write(self, ipa: int, data: bytes) -> None:
        assert self.lib.machine_write(self.machine, ipa - RAM, data, len(data)) == 0

    def read(self, ipa: int, length: int) -> bytes:
        out = self.ffi.new("unsigned char[]", length)
        assert self.lib.machine_read(self.machine, ipa - RAM, out, length) == 0
        return bytes(self.ffi.buffer(out, length))

    def load(self, source: str, target: str = "aarch64", at: int = CODE, cpu: int = 0) -> None:
        """Assemble, write, and put the cpu there."""
        self.write(at, assemble(source, target))
        self.lib.cpu_set_pc(self.cpus[cpu], at)

    def state(self, cpu: int = 0) -> Any:
        out = self.ffi.new("struct arm_state *")
        self.lib.arm_get_state(self.cpus[cpu], out)
        return out

    def run(self, budget: int = 1 << 22, cpu: int = 0) -> tuple[int, int]:
        """(exit reason, instructions retired)."""
        reason = self.lib.arm_bench_run(self.b, self.cpus[cpu], budget, self.exit)
        return reason, self.lib.cpu_retired(self.cpus[cpu])

    def finish(self, cpu: int = 0) -> int:
        """Run to `hvc #0`; instructions retired."""
        reason, retired = self.run(cpu=cpu)
        at = (reason, self.exit.vector, self.exit.aux, hex(self.lib.cpu_pc(self.cpus[cpu])), self.traps()[-4:])
        assert reason == self.lib.EXIT_HYPERCALL, at
        return retired

    def reg(self, n: int, cpu: int = 0) -> int:
        return int(self.lib.arm_reg(self.cpus[cpu], n))

    def traps(self) -> list[tuple[int, int, int, int, int]]:
        """(class, syndrome, address, retired, pc) of each exception so far."""
        n = 64
        traps, when, pc = self.ffi.new("struct trap[]", n), self.ffi.new("int64_t[]", n), self.ffi.new("uint64_t[]", n)
        count = self.lib.arm_bench_log(self.b, traps, when, pc, n)
        return [(traps[i].vector, traps[i].error, traps[i].address, when[i], pc[i]) for i in range(count)]

    def digest(self) -> str:
        """Of the registers of all cpus and of all memory."""
        sha = hashlib.sha256(self.read(RAM, FRAMES << 12))
        for cpu in range(len(self.cpus)):
            sha.update(bytes(self.ffi.buffer(self.state(cpu))))
        return sha.hexdigest()

    def close(self) -> None:
        self.lib.arm_bench_destroy(self.b)
