"""A person before a PC: reads its screen, types on its keyboard."""

from hv.devices import keys
from hv.net.host import NatHost
from hv.toolstack.launch import Guest
from hv.toolstack.screenshot import screen_of
from tests.real.initramfs import PROMPT

FIRST, MOST = 12_000_000_000, 3_000_000_000
"""Instructions until the prompt comes, and until a command is done."""


class Person:
    """Deterministic: the screen is looked at between slices of the run. `networks` are served there too."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.screen = screen_of(guest.domain)
        self.networks: list[NatHost] = []
        self.given = 0

    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.screen.text())

    def wait(self, text: str, most: int = MOST) -> str:
        """Until the screen shows a text: all that it shows."""
        hv = self.guest.hv

        def shown() -> bool:
            for network in self.networks:
                network.poll()
            return text in self.text()

        hv.run(max_insns=hv.instructions + most, poll=shown)
        assert text in self.text(), f"{text!r} did not come; the screen says:\n{self.text()}"
        return self.text()

    def type(self, text: str) -> None:
        """On the keyboard."""
        self.guest.hv.inputs.enter(self.guest.domain, "keyboard", keys.typed(text))

    def command(self, line: str) -> str:
        """Give a shell a command: what it has printed, at most a screen of it."""
        self.given += 1
        self.type(f"clear; {line}; echo command $(({self.given}*1001)) done\n")
        return self.wait(f"command {self.given * 1001} done\n{PROMPT.rstrip()}")
