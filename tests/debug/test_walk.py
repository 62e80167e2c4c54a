"""`walk` and `p2m` in a guest with a processor of its own: its tables, their shadows, the p2m."""

from __future__ import annotations

import re
from itertools import pairwise

from hv.debug.commands import execute
from hv.debug.debugger import Debugger
from hv.debug.memory import read_linear
from hv.debug.symbols import symbols_of
from hv.native import lib
from hv.testing.runner import DomainUnderTest, Options

BASE = 3 << 39
"""Where guests/tests/hvm_page_tables.c has its pages."""


def at_interrupt(paging: str) -> Debugger:
    """In the second vcpu's handler, which has the window's first page dropped."""
    dom = DomainUnderTest("hvm_page_tables", Options(env="pvh64", paging=paging))
    debugger = Debugger(dom.hv, symbols=symbols_of(dom.guest.image))
    execute(debugger, "break on_shootdown")
    assert execute(debugger, "continue").startswith("stop point: ")
    return debugger


def test_guest_and_shadow_side_by_side() -> None:
    debugger = at_interrupt("shadow")
    before = debugger.hv.state_hash
    lines = execute(debugger, "walk rip").splitlines()
    assert re.match(r"0x[0-9a-f]+: 4-level tables at guest-physical 0x", lines[0])
    guest, shadow = zip(*(re.split(r" +\| ?", line) for line in lines[1:-1]), strict=True)
    assert [text[:2] for text in guest] == ["th", "L4", "L3", "L2", ""]
    assert [text[:2] for text in shadow] == ["it", "S4", "S3", "S2", "S1"]
    for level in range(1, 4):
        mfn = re.search(r"\(mfn (0x[0-9a-f]+)\)", guest[level])
        assert mfn and f" of mfn {mfn[1]} " in shadow[level]
    for above, below in pairwise(shadow[1:]):
        assert above.split()[-1] == below.split()[1]
    assert "of large page at gfn 0x0" in shadow[4]
    machine = re.fullmatch(r"-> (gfn 0x[0-9a-f]+): (mfn 0x[0-9a-f]+), RAM", lines[-1])
    assert machine and shadow[4].endswith(f"-> {machine[2]}")
    assert execute(debugger, f"p2m {machine[1].split()[1]}") == lines[-1].removeprefix("-> ")
    # What the other vcpu has changed is in no shadow; what nobody has touched neither.
    assert execute(debugger, f"walk {BASE}").splitlines()[-2].endswith("-> nothing is kept")
    ended = execute(debugger, f"walk {BASE + 0x400000}").splitlines()
    assert "0x0 not present" in ended[-2] and ended[-1] == "not mapped"
    assert debugger.hv.state_hash == before


def test_without_shadows() -> None:
    debugger = at_interrupt("walk")
    lines = execute(debugger, "walk rip").splitlines()
    assert lines[2].endswith("| no shadows (--paging walk)") and lines[-1].endswith(", RAM")
    assert execute(debugger, "walk 0xfee00000").splitlines()[-1].startswith("-> gfn 0xfee00: no RAM")
    execute(debugger, "goto 0")
    assert "paging is off" in execute(debugger, "walk rip")


def test_read_only_memory_is_seen() -> None:
    debugger = at_interrupt("shadow")
    domain, gfn = debugger.domain, 0x420
    frame = domain.frame_of(gfn)
    assert frame is not None
    domain.write_physical(gfn << 12, b"firmware")
    domain.map_frames(gfn, [frame], lib.P2M_RAM)
    assert read_linear(debugger.vcpu, gfn << 12, 8) == b"firmware"
    assert execute(debugger, f"p2m {gfn:#x}").endswith("RAM, read-only")
    domain.unmap_frame(gfn)
    assert read_linear(debugger.vcpu, gfn << 12, 8) == b""
    assert execute(debugger, f"p2m {gfn:#x}").endswith("a device's, or nobody's")
