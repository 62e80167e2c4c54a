"""`hv run` with more than a terminal: --vnc with a real client, --serial, --vga, --pcap; and what cannot be."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dpkt
import pytest

from hv import abi
from hv.cli.main import main
from hv.hypervisor import Stop
from hv.testing.build import build_guest, find_guest
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import Guest, GuestConfig, launch
from hv.toolstack.screenshot import screen_of
from hv.toolstack.vnc.gate import GateInputs
from hv.toolstack.vnc.inputs import LEFT, Pointer
from tests.cli.machinecode import LOOP, call, guest, say, shutdown
from tests.devices.flat32 import compiled
from tests.toolstack import bootsector

firmware = pytest.mark.skipif(
    not bootsector.has_firmware(), reason="SeaBIOS is not installed; remedy: apt install seabios"
)
SECONDS = 60


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """`hv run` beside the test; it is killed if it is still there."""
    command = [sys.executable, "-m", "hv.cli.main", "run", "--wall-timeout", str(SECONDS), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    return process.stderr.readline().decode()


# ---- VNC ----


def typewriter(tmp_path: Path) -> Guest:
    """The guest that the clients below work with, ready for them."""
    disk = bootsector.write(tmp_path / "typewriter.img", bootsector.TYPEWRITER)
    made = launch(None, GuestConfig(kind="hvm", memory_mib=16, disks=(DiskOptions(str(disk)),)))
    screen = screen_of(made.domain)
    while screen.text()[:1] != ["READY"]:
        assert made.hv.run(until_ns=made.hv.now_ns + 10**8).now_ns < 10**11
    return made


def work(made: Guest) -> None:
    """Type and click as the client does."""
    inputs = GateInputs(made.domain)
    for name, down in (("shift", True), ("h", True), ("shift", False), ("h", False), ("i", True), ("i", False)):
        inputs.key(name, down)
    made.hv.run(until_ns=made.hv.now_ns + 10**9)
    for event in ((10, 10, 0), (0, 0, LEFT), (0, 0, 0)):
        inputs.pointer(Pointer(0, 0, 720, 400, *event, 0))
    made.hv.run(until_ns=made.hv.now_ns + 10**9)


@firmware
def test_keys_and_clicks_enter_by_the_gate_and_the_run_can_be_repeated(tmp_path: Path) -> None:
    one = typewriter(tmp_path)
    work(one)
    assert screen_of(one.domain).text() == ["READY", "Hi[CLICK]"]
    entered = list(one.hv.inputs)
    assert {entry.service for entry in entered} == {"keyboard", "mouse"}
    again = typewriter(tmp_path)
    again.hv.inputs.replay(entered)
    again.hv.run(until_ns=one.hv.now_ns)
    assert (again.hv.instructions, again.hv.state_hash) == (one.hv.instructions, one.hv.state_hash)


@firmware
def test_a_real_client_types_clicks_and_expects_a_screen(tmp_path: Path) -> None:
    pytest.importorskip("vncdotool", reason="vncdotool is not installed; remedy: pip install -e .[dev]")
    model = typewriter(tmp_path)
    (tmp_path / "ready.png").write_bytes(screen_of(model.domain).png())
    work(model)
    (tmp_path / "wanted.png").write_bytes(screen_of(model.domain).png())
    disk = tmp_path / "typewriter.img"
    with running("--type", "hvm", "--memory", "16", "--disk", disk, "--vnc", "0", "--realtime") as process:
        found = re.fullmatch(r"hv: VNC at 127\.0\.0\.1::(\d+), password (\S{8})\n", first_line(process))
        assert found is not None
        client = [sys.executable, "-c", "from vncdotool.command import vncdo; vncdo()", "--nocursor",
                  "-s", f"127.0.0.1::{found[1]}", "-p", found[2], "-t", str(SECONDS)]  # fmt: skip
        steps = ["expect", tmp_path / "ready.png", "0", "type", "Hi", "pause", "0.5", "move", "10", "10", "click", "1",
                 "expect", tmp_path / "wanted.png", "0", "key", "esc"]  # fmt: skip
        done = subprocess.run([*client, *map(str, steps)], capture_output=True, text=True, timeout=2 * SECONDS)
        assert done.returncode == 0, done.stderr
        assert process.wait(SECONDS) == 0  # Esc resets the machine


# ---- the serial port ----

ECHO = r"""
static inline void out(unsigned short p, unsigned char v) { __asm__ volatile("outb %0, %1" :: "a"(v), "Nd"(p)); }
static inline unsigned char in(unsigned short p)
{ unsigned char v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(p)); return v; }
__asm__(".globl _start\n_start: movl $0x90000, %esp\n jmp work\n");
void work(void)
{
    for (const char *c = "ready\n"; *c; c++)
        out(0x3f8, *c);
    out(0xe9, '!');
    for (;;) {
        if (!(in(0x3fd) & 1))
            continue;
        unsigned char c = in(0x3f8);
        if (c == 'q')
            out(0xcf9, 6);
        out(0x3f8, c ^ 0x20);
    }
}
"""


@pytest.fixture
def echo(tmp_path: Path) -> list[str]:
    """A guest that sends back what comes, in the other case, until a q."""
    (tmp_path / "echo.elf").write_bytes(compiled(tmp_path, ECHO))
    return ["--type", "hvm", "--memory", "8", "--firmware", str(tmp_path / "echo.elf")]


def test_the_port_as_a_file(echo: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *echo, "--serial", f"file:{tmp_path / 'com1'}", "--max-insns", "100000"]) == 7
    assert (tmp_path / "com1").read_bytes() == b"ready\n"
    assert capfd.readouterr().out == "!"


def test_no_port_and_the_usual_one(echo: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    for where, shown in (("none", "!"), ("stdio", "ready\n!")):
        assert main(["run", *echo, "--serial", where, "--max-insns", "100000"]) == 7
        assert capfd.readouterr().out == shown


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_the_port_as_a_socket(echo: list[str], tmp_path: Path, kind: str) -> None:
    where = f"unix:{tmp_path / 'socket'}" if kind == "unix" else "tcp:0"
    with running(*echo, "--serial", where) as process:
        line = first_line(process)
        if kind == "unix":
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(tmp_path / "socket"))
        else:
            client = socket.create_connection(("127.0.0.1", int(line.rpartition(":")[2])))
        client.settimeout(SECONDS)
        with client, client.makefile("rb") as reader:
            assert reader.readline() == b"ready\n"  # sent before anybody was there
            client.sendall(b"Hello* more than a fifo has*")
            assert reader.read(28) == b"hELLO\n\0MORE\0THAN\0A\0FIFO\0HAS\n"
            client.sendall(b"q")
            assert process.wait(SECONDS) == 0
    assert not (tmp_path / "socket").exists()


# ---- the screen, and what does not go together ----


@firmware
def test_no_screen(tmp_path: Path) -> None:
    made = launch(None, GuestConfig(kind="hvm", memory_mib=16, vga=False))
    assert made.hv.run(until_ns=2 * 10**9).stop is Stop.TIME
    assert "vga" not in made.domain.services
    kept = made.hv.snapshot()
    made.hv.run(until_ns=3 * 10**9)
    child = made.hv.fork()
    made.hv.restore(kept)
    made.hv.run(until_ns=3 * 10**9)
    assert child.state_hash == made.hv.state_hash


PV = guest(say("hello\n"), shutdown(abi.SHUTDOWN_poweroff), text="hello\n")


@pytest.mark.parametrize(("options", "said"), [
    (("--vnc", "0"), "--vnc: only an HVM domain has a screen; say --type hvm, or leave it out"),
    (("--vga", "none"), "--vga: only an HVM domain has a screen; say"),
    (("--serial", "none"), "--serial: only an HVM domain has a serial port; say"),
    (("--xen-platform", "off"), "--xen-platform: only an HVM domain has a platform device; say"),
    (("--boot", "c"), "--boot: only an HVM domain has a boot order; say"),
    (("--firmware", "x"), "--firmware: only an HVM domain has a firmware; say"),
    (("--vnc-password", "x"), "--vnc-password: there is no VNC server to ask for it; give --vnc as well"),
    (("--pcap", "PATH"), "--pcap: the guest has no network interface; give it one with --nic"),
])  # fmt: skip
def test_what_a_pv_guest_has_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: tuple[str, str], said: str
) -> None:
    (tmp_path / "kernel").write_bytes(PV)
    given = [option.replace("PATH", str(tmp_path / "file")) for option in options]
    assert main(["run", str(tmp_path / "kernel"), "--memory", "8", *given]) == 2
    shown = capfd.readouterr()
    assert shown.out == "" and said in shown.err and shown.err.count("\n") == 1


@pytest.mark.parametrize(("options", "said"), [
    (("--vnc", "0", "--vga", "none"), "--vnc: the machine has no screen (--vga none); say --vga std"),
    (("--vnc", "0.0.0.0:0", "--vnc-password", ""), "--vnc: without a password, everybody who reaches 0.0.0.0"),
    (("--vnc", "0", "--vnc-password", "far too long"), "--vnc-password: a VNC password has 1 to 8 characters, not 12"),
    (("--vnc", "1.2.3.4:0"), "--vnc: 1.2.3.4:0 cannot be listened on: cannot assign requested address"),
    (("--serial", "unix:/nowhere/socket"), "--serial: /nowhere/socket cannot be listened on: no such file"),
    (("--serial", "file:/nowhere/com1"), "--serial: /nowhere/com1 cannot be written: no such file"),
])  # fmt: skip
def test_what_a_pc_cannot_have(
    echo: list[str], capfd: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert main(["run", *echo, *options]) == 2
    shown = capfd.readouterr()
    assert said in shown.err and shown.err.count("\n") == 1


@pytest.mark.parametrize(("options", "said"), [
    (("--vnc", "here"), "here is not [HOST:]PORT"), (("--vga", "cirrus"), "choose from 'std', 'none'"),
    (("--serial", "pty"), "pty: no place for a serial port"), (("--serial", "tcp:x:y"), "tcp:x:y: no address"),
    (("--serial", "none:1"), "none:1: no place"), (("--serial", "file"), "file: no place"),
])  # fmt: skip
def test_what_means_nothing(capfd: pytest.CaptureFixture[str], options: tuple[str, ...], said: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", "--type", "hvm", *options])
    assert left.value.code == 2 and said in capfd.readouterr().err


# ---- frames ----


def test_frames_of_all_interfaces_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "frames.pcap"
    nics = ("--nic", "user,allow=none", "--nic", "switch=lan")
    kernel = build_guest(find_guest("net_ping"))
    assert main(["run", str(kernel), "--memory", "16", *nics, "--pcap", str(path)]) == 0
    with path.open("rb") as file:
        frames = [(float(when), dpkt.ethernet.Ethernet(frame)) for when, frame in dpkt.pcap.Reader(file)]
    assert [when for when, _ in frames] == sorted(when for when, _ in frames) and len(frames) >= 4
    kinds = {type(frame.data).__name__ for _, frame in frames}
    assert "ARP" in kinds and "IP" in kinds


def test_a_guest_that_waits_for_a_forwarded_port_is_waited_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kernel = tmp_path / "waits.elf"
    kernel.write_bytes(guest(call("sched_op", abi.SCHEDOP_block), LOOP))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    for options, said in ((("--nic", "user"), "waits"), (("--nic", f"user,hostfwd=tcp::{port}-:80"), "--wall-timeout")):
        assert main(["run", str(kernel), "--memory", "16", "--wall-timeout", "1", *options]) == 7
        assert said in capfd.readouterr().err


def test_too_many_interfaces(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--type", "hvm", *17 * ("--nic", "user")]) == 2
    assert capfd.readouterr().err == "hv run: --nic: 17 interfaces; a domain has 16 at most; give fewer\n"
