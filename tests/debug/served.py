"""A guest behind a GDB server in this process, and the real gdb talking to it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from elftools.elf.elffile import ELFFile

from hv.debug.debugger import Debugger
from hv.debug.gdb.server import GdbServer
from hv.debug.symbols import symbols_of
from hv.debug.timeline import Timeline
from hv.testing.runner import DomainUnderTest, Options, resolve
from hv.toolstack.address import listen
from tests.bench.gdb_client import Client
from tests.debug.gdb import environment, find_gdb
from tests.debug.straight import MEMORY_MIB


class Served:
    """A guest, its debugger, and the port at which its server listens."""

    def __init__(
        self, guest: str, cmdline: str = "", *, interval: int = 20_000, env: str = "", memory: int = MEMORY_MIB
    ) -> None:
        self.kernel = resolve(guest, env)[0]
        self.dom = DomainUnderTest(guest, Options(cmdline=cmdline, memory=memory, env=env))
        symbols = symbols_of(self.dom.guest.image)
        self.debugger = Debugger(self.dom.hv, timeline=Timeline(self.dom.hv, interval=interval), symbols=symbols)
        self.ended = ""
        """How the server ended."""
        listener = listen("127.0.0.1", 0)
        self.port: int = listener.getsockname()[1]
        self._server = GdbServer(self.debugger, listener, kernel=self.dom.guest.image)
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        self.ended = self._server.serve()

    def __enter__(self) -> Served:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for _ in range(20):
            if not self._thread.is_alive():
                break
            with Client(self.port) as client, suppress(OSError):  # refused while another has not left yet
                client.send(b"vKill;1")
                self._thread.join(3)
        self._server.listener.close()
        assert not self._thread.is_alive()

    @property
    def state_hash(self) -> str:
        """Of the guest while nothing moves."""
        return self.dom.state_hash

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A connection of our own, past its greeting."""
        with Client(self.port) as client:
            assert client.start().startswith(b"T05")
            yield client

    def gdb(self, *commands: str, interrupt_at: int = 0, kernel: bool = True, program: str = "gdb") -> str:
        """What gdb prints for these commands, with the guest's symbols; Ctrl-C once that many instructions have
        retired. `kernel`: gdb gets the kernel's file, else it has to fetch it."""
        process = start_gdb(self.port, commands, self.kernel if kernel else None, program)
        if interrupt_at:
            self._interrupt(process, interrupt_at)
        return output_of(process)

    def _interrupt(self, process: subprocess.Popen[str], count: int) -> None:
        while self.dom.hv.state.retired < count and process.poll() is None:
            threading.Event().wait(0.01)
        process.send_signal(2)


def start_gdb(
    port: int, commands: Sequence[str], kernel: Path | None = None, program: str = "gdb"
) -> subprocess.Popen[str]:
    """gdb at work on a server."""
    script = ["set pagination off", "set confirm off", "set width 0", f"target remote 127.0.0.1:{port}", *commands]
    arguments = [part for command in script for part in ("-ex", command)]
    return subprocess.Popen(
        [find_gdb(program), "-nx", "-batch", *([str(kernel)] if kernel else []), *arguments],
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def output_of(process: subprocess.Popen[str], seconds: float = 120) -> str:
    """Everything it prints."""
    try:
        return process.communicate(timeout=seconds)[0]
    finally:
        process.kill()


class Command:
    """`hv` with these arguments in a process of its own, once it has said on stderr where gdb may connect."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hv.cli.main", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()
        self.port = int(self.said.rpartition(":")[2])

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self) -> tuple[int, str, str]:
        """Its exit code, and what else it wrote to stdout and stderr."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@cache
def symbols(guest: str) -> dict[str, int]:
    """Addresses by name."""
    with Path(resolve(guest)[0]).open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


def printed(text: str, label: str) -> list[str]:
    """What stands behind `label` at the beginnings of lines."""
    return [line[len(label) :].strip() for line in text.splitlines() if line.startswith(label)]
