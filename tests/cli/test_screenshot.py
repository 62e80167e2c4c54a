"""`hv screenshot` from end to end: when it is taken, what is written where, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hv import abi
from hv.cli.main import main
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import GuestConfig, launch
from hv.toolstack.screenshot import screen_of
from tests.cli.machinecode import guest, shutdown
from tests.toolstack import bootsector

firmware = pytest.mark.skipif(
    not bootsector.has_firmware(), reason="SeaBIOS is not installed; remedy: apt install seabios"
)
GRAPHICS = """
    mov $0x13, %ax
    int $0x10
1:  hlt
    jmp 1b
"""
CRASHES = """
    mov $ready, %si
    call say
    lidt nowhere
    int3
nowhere: .word 0; .long 0
ready: .asciz "READY\\r\\n"
"""


def pc(tmp_path: Path, sector: str) -> list[str]:
    disk = bootsector.write(tmp_path / "disk.img", sector)
    return ["screenshot", "--type", "hvm", "--memory", "16", "--disk", str(disk)]


@firmware
def test_a_picture_as_soon_as_the_text_is_there(tmp_path: Path) -> None:
    command = pc(tmp_path, bootsector.TYPEWRITER)
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    assert main([*command, "--until", "READY", "-o", str(one)]) == 0
    assert main([*command, "--timeout", "5", "--output", str(other)]) == 0
    made = launch(None, GuestConfig(kind="hvm", memory_mib=16, disks=(DiskOptions(command[-1]),)))
    made.hv.run(until_ns=5 * 10**9)
    assert screen_of(made.domain).text() == ["READY"]
    assert one.read_bytes() == other.read_bytes() == screen_of(made.domain).png()


@firmware
def test_text_that_never_comes_is_7_and_the_screen_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*pc(tmp_path, bootsector.TYPEWRITER), "--until", "NEVER", "--timeout", "3", "--text"]) == 7
    shown = capfd.readouterr()
    assert shown.out == "READY\n"
    assert shown.err.startswith("hv screenshot: --until: 'NEVER' has not come; ") and "at 3.000 guest" in shown.err


@firmware
def test_a_graphics_mode_has_a_picture_and_no_text(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    command = [*pc(tmp_path, GRAPHICS), "--timeout", "3"]
    assert main([*command, "-o", "-"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"\x89PNG")
    assert main([*command, "--text"]) == 2
    assert b"--text: the screen is in a graphics mode; leave out --text" in capfdbinary.readouterr().err


@firmware
def test_a_crash_is_1_and_the_screen_is_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*pc(tmp_path, CRASHES), "--text"]) == 1
    shown = capfd.readouterr()
    assert "READY" in shown.out and "crashed" in shown.err


def test_refusals(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kernel, out = tmp_path / "kernel", str(tmp_path / "x.png")
    kernel.write_bytes(guest(shutdown(abi.SHUTDOWN_poweroff)))
    (tmp_path / "noise.snapshot").write_bytes(b"xenlab\x1aSnoise")
    for arguments, said in (
        ([str(kernel)], "--output: no file is given for the picture; say -o FILE, or --text"),
        ([str(kernel), "--memory", "8", "-o", out], "domain guest: it has no screen; remedy: "),
        ([str(kernel), "-o", "/nowhere/x.png"], "--output: /nowhere/x.png cannot be written: no such file"),
        ([str(tmp_path / "noise.snapshot"), "-o", out], "noise.snapshot"),
        *(
            ([str(tmp_path / "noise.snapshot"), "-o", out, flag, "3"], f"{flag}: a snapshot does not go on")
            for flag in ("--until", "--timeout", "--max-insns", "--wall-timeout")
        ),
        ([str(kernel), "--memory", "8", "-o", out, "--vga", "none"], "--vga: only an HVM domain has a screen"),
    ):
        assert main(["screenshot", *arguments]) == 2
        shown = capfd.readouterr()
        assert shown.out == "" and shown.err.startswith("hv screenshot: ") and said in shown.err
        assert shown.err.count("\n") == 1
