"""A straight run in a process of its own, without snapshots or stop points: the judge of every movement through time.

    python -m tests.debug.straight GUEST CMDLINE COUNT...

prints the state hash at each count, in ascending order. A place inside a count is COUNT+VCPU:RIP.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

from hv.debug.stops import ANY_VALUE
from hv.debug.timeline import Position
from hv.native import ffi, lib
from hv.testing.build import find_guest
from hv.testing.metadata import read_metadata
from hv.testing.runner import DomainUnderTest, Options

MEMORY_MIB = 4
"""Of each guest here: hashing all of it is most of what these tests do."""


def options_of(guest: str, cmdline: str) -> Options:
    """How a guest is launched here: in the first environment that its header comment names."""
    return Options(cmdline=cmdline, memory=MEMORY_MIB, env=read_metadata(find_guest(guest)).environments[0])


def hashes(guest: str, cmdline: str, positions: Iterable[Position]) -> dict[Position, str]:
    """What the state hash is at each of these places."""
    wanted = sorted(set(positions), key=lambda place: (place.count, place.inside is not None, place.inside or ()))
    words = [str(p.count) if p.inside is None else f"{p.count}+{p.inside[0]}:{p.inside[1]}" for p in wanted]
    command = [sys.executable, "-m", "tests.debug.straight", guest, cmdline, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(zip(wanted, done.stdout.split(), strict=True))


def main(guest: str, cmdline: str, words: list[str]) -> None:
    dom = DomainUnderTest(guest, options_of(guest, cmdline))
    for word in words:
        count, _, inside = word.partition("+")
        dom.hv.run(max_insns=int(count))
        if inside:
            _go_inside(dom, int(count), *(int(number) for number in inside.split(":")))
        print(dom.state_hash)


def _go_inside(dom: DomainUnderTest, count: int, slot: int, rip: int) -> None:
    """On to an instruction behind what is delivered at this count: the only stop point of a straight run."""
    stop = ffi.new("struct hv_stop *", {
        "kind": lib.HV_STOP_INSTRUCTION, "value": rip, "sub": ANY_VALUE, "mask": 0,
        "domid": lib.HV_STOP_ANY, "vcpu": dom.hv.vcpus[slot].id,
    })  # fmt: skip
    lib.hv_set_stops(dom.hv.native, stop, 1, 0)
    dom.hv.run(max_insns=count + 1)
    assert (dom.hv.instructions, dom.hv.vcpus[slot].registers["rip"]) == (count, rip)
    lib.hv_set_stops(dom.hv.native, stop, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
