"""A guest behind a GDB server in this process, and the real gdb talking to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from hv.debug.debugger import Debugger
from hv.debug.gdb.server import GdbServer, listen
from hv.debug.timeline import Timeline
from hv.testing.runner import DomainUnderTest, Options, resolve
from tests.bench.gdb_client import Client
from tests.debug.straight import MEMORY_MIB


class Served:
    """A guest, its debugger, and the port at which its server listens."""

    def __init__(self, guest: str, cmdline: str = "", interval: int = 20_000) -> None:
        self.dom = DomainUnderTest(guest, Options(cmdline=cmdline, memory=MEMORY_MIB))
        self.kernel = resolve(guest)[0]
        self.debugger = Debugger(self.dom.hv, timeline=Timeline(self.dom.hv, interval=interval))
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

    def gdb(self, *commands: str, interrupt_at: int = 0) -> str:
        """What gdb prints for these commands, with the guest's symbols; Ctrl-C once that many instructions have
        retired."""
        gdb = shutil.which("gdb")
        if gdb is None:
            pytest.skip("gdb is not installed")
        # `make asan` loads the sanitizer's library into Python; gdb does not start with it
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        script = ["set pagination off", "set confirm off", "set width 0", f"target remote 127.0.0.1:{self.port}"]
        arguments = [part for command in [*script, *commands] for part in ("-ex", command)]
        process = subprocess.Popen(
            [gdb, "-nx", "-batch", str(self.kernel), *arguments],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if interrupt_at:
            self._interrupt(process, interrupt_at)
        try:
            return process.communicate(timeout=120)[0]
        finally:
            process.kill()

    def _interrupt(self, process: subprocess.Popen[str], count: int) -> None:
        while self.dom.hv.state.retired < count and process.poll() is None:
            threading.Event().wait(0.01)
        process.send_signal(2)


@cache
def symbols(guest: str) -> dict[str, int]:
    """Addresses by name."""
    with Path(resolve(guest)[0]).open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


def printed(text: str, label: str) -> list[str]:
    """What stands behind `label` at the beginnings of lines."""
    return [line[len(label) :].strip() for line in text.splitlines() if line.startswith(label)]
