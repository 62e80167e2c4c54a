"""A bench for the page-table code: a small machine, a domain with hand-made tables, hypercalls as its vcpu makes them.

Guest addresses 0x0 to 0x1fffff are mapped by one L1 table: page i of the domain's data at `data_va(i)`, writable.
The tables themselves are mapped nowhere. `audit()` must be clean after everything that a test does.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence
from typing import Any

from hv import abi
from hv._native import ffi, lib

P, RW, USER, PWT, PCD, A, D, PSE, GLOBAL = (1 << bit for bit in range(9))
NX = 1 << 63
GUEST_KERNEL = 1 << 52
RETRY = -(1 << 63) + 1
NO_FRAME = (1 << 64) - 1
SELF = abi.DOMID_SELF
MMU_UPDATE, UPDATE_VA, UPDATE_VA_OTHER, MMUEXT = 1, 14, 22, 26
DATA_PAGES = 24
DATA_VA = 0x10000
REQUESTS = 20          # data page that requests are put into
DONE = 21              # data page whose first word receives *pdone


def name_of(result: int) -> str:
    """"ok", "retry", or the name of the errno."""
    return {0: "ok", RETRY: "retry", -95: "EOPNOTSUPP"}.get(result) or errno.errorcode[-result]


class Guest:
    """One domain of a bench with one vcpu and a mapped address space."""

    def __init__(self, bench: Bench, domid: int) -> None:
        self.bench, self.domid = bench, domid
        self.slot = lib.hv_domain_create(bench.hv, domid, lib.DOMAIN_PV64, 10000)
        self.c = ffi.addressof(bench.state.domains[self.slot])
        self.v = ffi.addressof(bench.state.vcpus[lib.hv_vcpu_create(bench.hv, self.slot, 0)])
        self.v.kernel_mode = 1
        self.l4, self.l3, self.l2, self.l1 = (self.alloc() for _ in range(4))
        self.data = [self.alloc() for _ in range(DATA_PAGES)]
        bench.poke(self.l4, 0, self.l3 << 12 | P | RW | USER | A)
        bench.poke(self.l3, 0, self.l2 << 12 | P | RW | USER | A)
        bench.poke(self.l2, 0, self.l1 << 12 | P | RW | USER | A)
        for i, mfn in enumerate(self.data):
            bench.poke(self.l1, (DATA_VA >> 12) + i, mfn << 12 | P | RW | USER | A | D)
        assert lib.hv_set_base_pointer(bench.hv, self.v, self.l4, False) == 0

    def alloc(self) -> int:
        """One more frame of this domain, mapped nowhere."""
        frame = int(lib.hv_alloc_frame(self.bench.hv, self.domid))
        assert frame != NO_FRAME
        return frame

    def data_va(self, page: int) -> int:
        """Guest address of a data page."""
        return DATA_VA + page * 4096

    def call(self, nr: int, *args: int) -> int:
        """One hypercall, continuations included."""
        array = ffi.new("uint64_t[6]", [*args, *[0] * (6 - len(args))])
        for _ in range(1000):
            result = int(lib.hv_hypercall(self.bench.hv, self.v, nr, array))
            if result != RETRY:
                return result
            self.bench.retries += 1
        raise AssertionError("a continuation that never ends")

    def mmu_update(self, updates: Sequence[tuple[int, int]], foreign: int = SELF) -> tuple[str, int]:
        """(errno name or "ok", number of updates done)."""
        raw = b"".join(struct.pack("<QQ", ptr, val) for ptr, val in updates)
        return self._batch(MMU_UPDATE, raw, len(updates), foreign)

    def mmuext(self, *ops: tuple[int, int, int], foreign: int = SELF) -> tuple[str, int]:
        """Operations of (cmd, arg1, arg2); the same answer."""
        raw = b"".join(struct.pack("<IIQQ", cmd, 0, arg1, arg2) for cmd, arg1, arg2 in ops)
        return self._batch(MMUEXT, raw, len(ops), foreign)

    def _batch(self, nr: int, raw: bytes, count: int, foreign: int) -> tuple[str, int]:
        assert len(raw) <= 4096
        self.bench.write(self.data[REQUESTS] << 12, raw)
        self.bench.write(self.data[DONE] << 12, b"\xff" * 4)
        result = self.call(nr, self.data_va(REQUESTS), count, self.data_va(DONE), foreign)
        return name_of(result), struct.unpack("<I", self.bench.read(self.data[DONE] << 12, 4))[0]

    def update_va(self, va: int, val: int, flags: int = 0) -> str:
        """update_va_mapping."""
        return name_of(self.call(UPDATE_VA, va, val, flags))


class Bench:
    """A machine with one domain, `g`; `second()` adds another."""

    def __init__(self, frames: int = 512) -> None:
        out = ffi.new("struct hv **")
        assert lib.hv_create(out, frames) == 0
        self.hv: Any = ffi.gc(out[0], lib.hv_destroy)
        self.machine = lib.hv_machine(self.hv)
        self.state = lib.hv_state(self.hv)
        self.pages = lib.hv_pages(self.hv)
        self.frames = frames
        self.free_at_start = self.state.free_frames
        self.retries = 0
        self.g = Guest(self, 1)

    def second(self) -> Guest:
        """A second domain."""
        return Guest(self, 2)

    def poke(self, frame: int, slot: int, value: int) -> None:
        """Write a word of a frame behind the hypervisor's back (a builder's right, before the frame is in use)."""
        self.write(frame << 12 | slot << 3, struct.pack("<Q", value))

    def entry(self, frame: int, slot: int) -> int:
        """A word of a frame."""
        return int(struct.unpack("<Q", self.read(frame << 12 | slot << 3, 8))[0])

    def write(self, address: int, data: bytes) -> None:
        """Write machine memory."""
        assert lib.machine_write(self.machine, address, data, len(data)) == 0

    def read(self, address: int, length: int) -> bytes:
        """Read machine memory."""
        out = bytearray(length)
        assert lib.machine_read(self.machine, address, ffi.from_buffer(out), length) == 0
        return bytes(out)

    def maptrack(self, slot: int, handle: int) -> Any:
        """An entry of a domain's maptrack table."""
        arena = ffi.cast("char *", lib.machine_arena(self.machine))
        table = ffi.cast("struct maptrack *", arena + self.state.maptrack_offset)
        return table + slot * lib.HV_MAX_MAPTRACK + handle

    def refusals(self) -> list[str]:
        """The rules that refused something since the last call."""
        log = ffi.new("struct refusal[64]")
        names = {rule.number: name for name, rule in abi.RULES.items()}
        return [names[log[i].rule] for i in range(lib.hv_refusals(self.hv, log, 64))]

    def audit(self) -> str:
        """Empty when all counts agree."""
        text = ffi.new("char[]", 1024)
        return ffi.string(text).decode() if lib.hv_audit(self.hv, text, 1024) else ""

    def counts(self) -> bytes:
        """All of page_info, to see that nothing changed."""
        return bytes(ffi.buffer(self.pages, self.frames * ffi.sizeof("struct page_info")))

    def type_of(self, mfn: int) -> tuple[int, int]:
        """(type, type references) of a frame."""
        info = self.pages[mfn].type_info
        return info >> lib.PGT_TYPE_SHIFT, info & lib.PGT_COUNT_MASK

    def refs(self, mfn: int) -> int:
        """References of a frame."""
        return int(self.pages[mfn].ref_info & lib.PGC_COUNT_MASK)
