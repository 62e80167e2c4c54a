"""ARM domains by the C calls alone: RAM from 0x40000000 on, assembly in it, no builder and no scheduler."""

from __future__ import annotations

from typing import Any

from hv.hypervisor import Hypervisor
from hv.native import check, ffi, lib
from tests.engine.arm import assemble

RAM = 0x4000_0000
PAGES = 64
VECTORS, CODE, SECOND, DATA, RESULTS = RAM, RAM + 0x1000, RAM + 0x2000, RAM + 0x3000, RAM + 0x4000
DEVICE = 0x2200_0000
IRQ_VECTOR, SYNC_VECTOR = VECTORS + 0x280, VECTORS + 0x200
EC_DATA_ABORT, EC_UNKNOWN = 0x25, 0

START = f"""
    movz x0, #{VECTORS >> 16:#x}, lsl #16
    msr vbar_el1, x0
    movz x20, #{RESULTS >> 16:#x}, lsl #16
    movk x20, #{RESULTS & 0xFFFF:#x}
"""
"""Exceptions go to VECTORS; x20 is where results are stored."""

GIC = """
    mov x0, #1
    msr icc_sre_el1, x0
    mov x0, #0xff
    msr icc_pmr_el1, x0
    mov x0, #1
    msr icc_igrpen1_el1, x0
    movz x1, #0x0300, lsl #16
    movk x1, #0x1000
    mov w0, #2
    str w0, [x1]
    movz x1, #0x0303, lsl #16
    mov w0, #0xffffffff
    str w0, [x1, #0x100]
"""
"""A GICv3 that lets every private interrupt of vcpu 0 through."""


class ArmDomains:
    """A hypervisor with one domain of ARM vcpus, the first of which runs `source` from CODE on."""

    def __init__(self, source: str, *, vcpus: int = 1, kind: int = lib.DOMAIN_ARM64, gic: int = 3) -> None:
        self.hv = Hypervisor(memory_mib=16)
        self.native = self.hv.native
        assert lib.hv_set_turns(self.native, 1000, 0, False) == 0  # whose turn is next is chosen below
        slot = check(lib.hv_domain_create(self.native, 1, kind, 1024), "a domain")
        self.c = lib.hv_find_domain(self.native, 1)
        self.slots = [check(lib.hv_vcpu_create(self.native, slot, i), "a vcpu") for i in range(vcpus)]
        self.vcpus = [lib.hv_find_vcpu(self.native, self.c, i) for i in range(vcpus)]
        check(lib.hv_arm_reset(self.native, self.c, gic, 32), "a GIC")
        frames = ffi.new("uint64_t[]", PAGES)
        assert lib.hv_alloc_frames(self.native, 1, PAGES, frames) == PAGES
        check(lib.hv_p2m_fill(self.native, self.c, RAM >> 12, frames, PAGES, lib.P2M_RAM | lib.P2M_WRITABLE), "memory")
        self.c.shared_info_frame = lib.hv_alloc_shared_frame(self.native, 1)
        self.exit = ffi.new("struct cpu_exit *")
        self.target = "aarch64" if kind == lib.DOMAIN_ARM64 else "arm"
        self.load(CODE, source)
        self.enter(CODE)

    def load(self, at: int, source: str) -> None:
        """Assemble to `at`."""
        self.write(at, assemble(source, self.target))

    def write(self, at: int, data: bytes) -> None:
        assert lib.hv_physical_write(self.native, self.c, at, data, len(data)) == 0

    def read(self, at: int, length: int) -> bytes:
        out = ffi.new("uint8_t[]", length)
        assert lib.hv_physical_read(self.native, self.c, at, out, length) == 0
        return bytes(ffi.buffer(out, length))

    def words(self, count: int) -> list[int]:
        """64-bit words from RESULTS on."""
        data = self.read(RESULTS, 8 * count)
        return [int.from_bytes(data[i : i + 8], "little") for i in range(0, 8 * count, 8)]

    def cpu(self, vcpu: int = 0) -> Any:
        return lib.hv_cpu(self.native, self.slots[vcpu])

    def reg(self, n: int, vcpu: int = 0) -> int:
        return int(lib.arm_reg(self.cpu(vcpu), n))

    def enter(self, pc: int) -> None:
        lib.cpu_set_pc(self.cpu(), pc)
        self.vcpus[0].initialised = self.vcpus[0].online = 1
        lib.hv_runstate_set(self.native, self.vcpus[0], lib.RS_RUNNABLE)

    def run(self, limit: int = 100_000, piece: int = 1 << 40) -> int:
        """Run all vcpus, in turns, up to something that Python would answer (its exit reason), to the end of the domain
        (EXIT_SHUTDOWN), or until nobody will ever run again (EXIT_IDLE)."""
        state = self.hv.state
        while state.retired < limit:
            if self.c.shut_down:
                return int(lib.EXIT_SHUTDOWN)
            if lib.hv_turn(self.native) == lib.HV_NO_SLOT and not self._choose():
                return int(lib.EXIT_IDLE)
            end = min(limit, state.retired + piece)
            reason = int(lib.hv_run_turn(self.native, end, 1 << 62, False, self.exit))
            if reason not in (lib.HV_TURN_OVER, lib.HV_TURN_LIMIT, lib.EXIT_BUDGET, lib.EXIT_IDLE, lib.EXIT_SHUTDOWN):
                return reason
        raise AssertionError(f"{limit} instructions and no end; pc {lib.cpu_pc(self.cpu()):#x}")

    def _choose(self) -> bool:
        slots, state = ffi.new("uint16_t[]", 8), self.hv.state
        while not (count := lib.hv_runnable(self.native, slots, 8)):
            due = lib.hv_next_deadline(self.native)
            if due == (1 << 64) - 1:
                return False
            state.idle_ns += due - lib.hv_now(self.native)
            lib.hv_fire_due(self.native)
        lib.hv_switch(self.native, slots[state.retired // 1000 % count])
        state.quantum_end = state.retired + 1000
        return True

    def answer(self, result: int) -> None:
        """The result of the hypercall that Python serves."""
        lib.hv_answer(self.native, self.running, result, False)

    @property
    def running(self) -> Any:
        """The vcpu on the processor."""
        return ffi.addressof(self.hv.state.vcpus[self.hv.state.running])
