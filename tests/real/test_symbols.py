"""Debian's kernels name their own functions: kallsyms out of the image, and call stacks by its ORC tables."""

import re
from functools import cache

import pytest

from hv.debug.symbols import Symbols, load_symbols, symbols_of
from hv.debug.symbols.stack import backtrace
from hv.toolstack.launch import GuestConfig, launch
from tests.real import packages

pytestmark = pytest.mark.real
KERNELS = ("linux-image-amd64", "linux-image-cloud-amd64")
#: Who may be the outermost function of a kernel's stack: the first vcpu's entry, a new thread's, a secondary's.
OUTERMOST = {"startup_xen", "ret_from_fork", "secondary_startup_64_no_verify", "asm_cpu_bringup_and_idle"}


@cache
def symbols(package: str) -> Symbols:
    return load_symbols(packages.kernel(package))


@pytest.mark.parametrize("package", KERNELS)
def test_kallsyms(package: str) -> None:
    found = symbols(package)
    assert len(found.table) > 50_000 and found.warnings == []
    image = found.image
    assert image is not None and image.notes is not None
    assert found.find("startup_xen") == image.notes.entry
    assert found.find("hypercall_page") == image.notes.hypercall_page
    assert found.find("_text") == image.segments[0].vaddr
    for name in ("start_kernel", "xen_start_kernel"):
        address = found.find(name)
        assert address is not None and str(found.at(address + 5)) == f"{name}+0x5"
        symbol = found.table.at(address)
        assert symbol is not None and symbol.code and symbol.end - symbol.start > 256
    for name in ("init_task", "jiffies_64", "saved_command_line"):
        symbol = found.table.at(found.find(name) or 0)
        assert symbol is not None and not symbol.code
    with pytest.raises(ValueError, match="strat_kernel: no such symbol; the nearest is start_kernel"):
        found.parse("strat_kernel")
    assert found.find("pcpu_hot") is not None or found.find("current_task") is not None


@pytest.mark.parametrize("package", KERNELS)
def test_call_stacks_during_the_boot(package: str) -> None:
    guest = launch(packages.kernel(package), GuestConfig(
        memory_mib=256, vcpus=2, cmdline="console=hvc0 quiet", ramdisk=packages.ramdisk()))
    known = symbols_of(guest.image)
    outermost, kernel_stacks = set(), 0
    for count in (20_000_000, 300_000_000, *range(1_000_000_000, 3_000_000_000, 100_000_000)):
        guest.hv.run(max_insns=count)
        before = guest.hv.state_hash
        for vcpu in guest.domain.vcpus:
            frames = backtrace(vcpu, known)
            names = [frame.place.name if frame.place else None for frame in frames]
            if vcpu.id == 0 and count <= 300_000_000:
                assert names[-3:] == ["start_kernel", "xen_start_kernel", "startup_xen"]
            if names[0] is None:
                assert len(frames) == 1  # user mode, or a vcpu that is not up: nothing is known
                continue
            kernel_stacks += 1
            assert all(frame.how != "guess" for frame in frames), list(map(str, frames))
            stack = [name for name in names if name is not None]
            outermost.add(stack[-1] if names[-1] else "user mode")
            for frame in frames[1:]:
                assert frame.place is None or known.table.at(frame.pc - 1).code  # type: ignore[union-attr]
        assert guest.hv.state_hash == before
    assert known.warnings == [] and kernel_stacks > 20
    assert "startup_xen" in outermost and outermost <= OUTERMOST | {"user mode"}


@pytest.mark.parametrize("package", KERNELS)
def test_a_panic_has_the_stack_that_the_kernel_prints(package: str) -> None:
    """The judge is Linux's own unwinder: it prints its stack when there is no root file system."""
    guest = launch(packages.kernel(package), GuestConfig(memory_mib=256, cmdline="console=hvc0 quiet panic=-1"))
    guest.hv.run(max_insns=10_000_000_000)
    frames = backtrace(guest.domain.vcpus[0], symbols_of(guest.image))
    printed = re.findall(r"\]  (\w+\+0x[0-9a-f]+)/", guest.console.text())  # "? ..." are its guesses
    ours = [str(frame.place) for frame in frames]
    panic = next(number for number, name in enumerate(ours) if name.startswith("panic+"))
    assert printed[0].startswith("dump_stack") and printed[1].startswith("panic+")
    assert len(printed) > 5 and ours[panic + 1:] == printed[2:]
