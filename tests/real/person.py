"""A person before a PC: gives a shell commands by its keyboard and reads their output from its screen."""

from hv.net.host import NatHost
from hv.toolstack.launch import Guest
from tests.real.initramfs import PROMPT
from tests.real.screens import type_text, wait

FIRST, MOST = 12_000_000_000, 3_000_000_000
"""Instructions until the prompt comes, and until a command is done."""


class Person:
    """Deterministic, as tests.real.screens is. `networks` are served meanwhile."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.networks: list[NatHost] = []
        self.given = 0

    def serve(self) -> None:
        """What the networks have to do by now."""
        for network in self.networks:
            network.poll()

    def prompt(self) -> str:
        """Until the shell is there: all that the screen shows."""
        return wait(self.guest, PROMPT.rstrip(), FIRST, self.serve)

    def command(self, line: str) -> str:
        """Give the shell a command: what it has printed, at most a screen of it."""
        self.given += 1
        type_text(self.guest, f"clear; {line}; echo command $(({self.given}*1001)) done\n")
        return wait(self.guest, f"command {self.given * 1001} done\n{PROMPT.rstrip()}", MOST, self.serve)

    def exit(self) -> None:
        """Leave the shell; its guest goes on."""
        type_text(self.guest, "exit\n")
