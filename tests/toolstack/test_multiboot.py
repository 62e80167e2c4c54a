"""Multiboot kernels from the command line's side: found by their header, with modules."""

from pathlib import Path

import pytest

from hv.builder.image import BuilderError
from hv.builder.load import load_kernel
from hv.hypervisor import Stop
from hv.testing.build import build_guest, find_guest
from hv.toolstack.launch import GuestConfig, launch
from tests.toolstack import bootsector

needs_firmware = pytest.mark.skipif(
    not bootsector.has_firmware(), reason="SeaBIOS is not installed; remedy: apt install seabios"
)


def kernel() -> Path:
    return build_guest(find_guest("multiboot"), "multiboot")


@needs_firmware
def test_the_header_chooses_a_pc_and_modules_come_with_their_texts(tmp_path: Path) -> None:
    """The guest wants each module to hold its own text."""
    for name, text in (("one", "one with words"), ("two", "two")):
        (tmp_path / name).write_text(text)
    ramdisk = f"{tmp_path}/one with words,{tmp_path}/two"
    guest = launch(kernel(), GuestConfig(memory_mib=16, ramdisk=ramdisk, cmdline="modules=2"))
    assert guest.domain.machine is not None
    assert guest.hv.run(max_insns=100_000_000).stop is Stop.SHUTDOWN
    assert "Test result: SUCCESS" in guest.console.text() and guest.hv.audit() == ""


def test_what_cannot_be() -> None:
    with pytest.raises(BuilderError, match="give the path"):
        launch(load_kernel(kernel()), GuestConfig(memory_mib=16))
    with pytest.raises(BuilderError, match="/nowhere: the ramdisk cannot be read"):
        launch(kernel(), GuestConfig(memory_mib=16, ramdisk="/nowhere x", firmware=kernel()))
