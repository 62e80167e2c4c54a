"""A granting and a using domain, and calls of grant_table_op: what the grant tests share."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hv import abi, grant
from hv.native import lib
from tests.hypercalls.lab import ARGUMENT, Domain, Lab

SELF = abi.DOMID_SELF
ACCESS, READONLY, SUB_PAGE, TRANSITIVE = (
    abi.GTF_permit_access, abi.GTF_readonly, abi.GTF_sub_page, abi.GTF_transitive,
)  # fmt: skip
READING, WRITING = abi.GTF_reading, abi.GTF_writing
HOST, DEVICE, RO, PTE = (
    abi.GNTMAP_host_map, abi.GNTMAP_device_map, abi.GNTMAP_readonly, abi.GNTMAP_contains_pte,
)  # fmt: skip
FLAGS = 0x67  # a page-table entry: present, writable, user, accessed, dirty


class Bench(Lab):
    """`d1` grants, `d2` uses. d2 has page tables: an L1 that maps linear 0..2 MiB."""

    def __init__(self) -> None:
        super().__init__()
        self.user = self.d2.vcpus[0]
        levels = [self.d2.frame() for _ in range(4)]
        self.l1 = levels[0]
        for lower, upper in pairwise(levels):
            self.write(upper << 12, ((lower << 12) | FLAGS).to_bytes(8, "little"))
        assert lib.hv_set_base_pointer(self.native, self.user.c, levels[3], False) == 0
        self.table = grant.table(self.native, self.d1.c)
        grant.table(self.native, self.d2.c)

    @property
    def reason(self) -> str:
        """The rule of the last refusal."""
        return self.refusals.noted[-1].rule

    def pte(self, index: int) -> int:
        return int.from_bytes(self.read((self.l1 << 12) + 8 * index, 8), "little")

    def snapshot(self) -> list[tuple[int, int]]:
        # A type lingers when its count is zero, as in Xen; the counts are what must come out even.
        pages = lib.hv_pages(self.native)
        counts = lib.PGT_COUNT_MASK
        return [(pages[i].ref_info, pages[i].type_info & counts) for i in range(self.state.frames)]

    def give(self, ref: int, flags: int = ACCESS, to: int = 2, frame: int | None = None) -> int:
        """Write entry `ref` of d1's table; the frame."""
        frame = self.d1.frame() if frame is None else frame
        data = flags.to_bytes(2, "little") + to.to_bytes(2, "little")
        if self.table.version == 1:
            data += frame.to_bytes(4, "little")
        else:
            data += bytes(4) + frame.to_bytes(8, "little")
        self.table.set_raw(ref, data)
        return frame

    def gnt(self, sub: str, *ops: dict[str, Any], d: Domain | None = None, count: int | None = None) -> Any:
        """One call; the result and the operations as they were left."""
        nr = getattr(abi, f"GNTTABOP_{sub}")
        layout = abi.layout(abi.SUBOPS["grant_table_op"][nr].argument)
        data = b"".join(layout.pack(op) for op in ops)
        memory = {(ARGUMENT >> 12): bytearray(data).ljust(4096, b"\0"), 0x77: bytearray(4096)}
        self.memory = memory
        v = (d or self.d2).vcpus[0]
        result = self.call(v, "grant_table_op", [nr, ARGUMENT, len(ops) if count is None else count], memory)
        page = memory[ARGUMENT >> 12]
        return result, [layout.unpack(page, i * layout.size) for i in range(len(ops))]

    def one(self, sub: str, d: Domain | None = None, **fields: Any) -> Any:
        """A call with one operation: its status, or the errno of the call."""
        result, (out,) = self.gnt(sub, fields, d=d)
        return out["status"] if result == 0 else result

    def map(self, ref: int, flags: int = HOST, at: int = 0x5000, dom: int = 1) -> tuple[int, int]:
        _, (out,) = self.gnt("map_grant_ref", {"ref": ref, "flags": flags, "host_addr": at, "dom": dom})
        return out["status"], out["handle"]

    def unmap(self, handle: int, at: int = 0x5000, bus: int = 0) -> Any:
        return self.one("unmap_grant_ref", handle=handle, host_addr=at, dev_bus_addr=bus)

    def copy(self, source: dict[str, Any], dest: dict[str, Any], length: int = 16, d: Domain | None = None) -> Any:
        flags = (abi.GNTCOPY_source_gref if "ref" in source["u"] else 0) | (
            abi.GNTCOPY_dest_gref if "ref" in dest["u"] else 0
        )
        return self.one("copy", d, source=source, dest=dest, len=length, flags=flags)


def by_ref(ref: int, offset: int = 0, dom: int = 1) -> dict[str, Any]:
    return {"u": {"ref": ref}, "domid": dom, "offset": offset}


def by_frame(frame: int, offset: int = 0, dom: int = SELF) -> dict[str, Any]:
    return {"u": {"gmfn": frame}, "domid": dom, "offset": offset}
