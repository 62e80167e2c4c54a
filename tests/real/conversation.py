"""Talk to a guest over its console, deterministically: wait for a text, then type.

Output is looked at between slices of the run, whose ends are exact instruction counts, so what is typed enters at the
same instruction in every run. Run as a program it prints the outcome as JSON, for comparing processes:

    python -m tests.real.conversation grub
"""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hv.hypervisor import Stop
from hv.native import lib
from hv.toolstack.launch import Guest, GuestConfig, launch
from tests.real import packages
from tests.real.initramfs import PROMPT

#: (text to wait for, what to type then)
Script = Sequence[tuple[str, str]]

GRUB: Script = (("grub>", "echo typed $grub_cpu\n"), ("typed x86_64", "halt\n"))
LINUX: Script = (
    (PROMPT, "echo hello | tr a-z A-Z\n"),
    ("\nHELLO", "dd if=/dev/zero of=/tmp/z bs=64k count=16 2>/dev/null; wc -c /tmp/z\n"),
    ("\n1048576 /tmp/z", "i=0; while [ $i -lt 20 ]; do (true); i=$((i+1)); done; echo forks $i\n"),
    ("\nforks 20", "date +today=%Y\n"),
    ("\ntoday=20", "echo cpus $(grep -c ^processor /proc/cpuinfo)\n"),
    ("\ncpus ", "exit\n"),
)


@dataclass(frozen=True)
class Outcome:
    """How a conversation ended."""

    stop: str
    text: str
    instructions: int
    state_hash: str
    shutdown_code: int
    audit: str


def converse(guest: Guest, script: Script, max_insns: int, flush_seed: int | None = None) -> Outcome:
    """Wait for each text of the script and type its answer; then run to the end.

    A text that does not come before `max_insns` fails with what came instead. `flush_seed`: drop all translated code
    at random moments, which must change nothing.
    """
    dice = random.Random(flush_seed)
    seen = 0
    for expected, answer in script:

        def arrived(expected: str = expected, seen: int = seen) -> bool:
            if flush_seed is not None and dice.random() < 0.2:
                lib.machine_flush_code(guest.hv.machine)
            return expected in guest.console.text()[seen:]

        result = guest.hv.run(max_insns=max_insns, poll=arrived)
        found = guest.console.text().find(expected, seen)
        assert found >= 0, f"{expected!r} did not come ({result}); the console says:\n{guest.console.text()[-3000:]}"
        seen = found + len(expected)
        guest.console.feed(answer.encode())
    result = guest.hv.run(max_insns=max_insns)
    return Outcome(result.stop.value, guest.console.text(), result.instructions, guest.hv.state_hash,
                   int(guest.domain.c.shutdown_code), guest.hv.audit())


def grub(block_limit: int = 0, flush_seed: int | None = None) -> Outcome:
    """GRUB to its prompt, one command, and off."""
    guest = launch(packages.grub(), GuestConfig(memory_mib=64))
    lib.machine_set_block_limit(guest.hv.machine, block_limit)
    return converse(guest, GRUB, 2_000_000_000, flush_seed)


def linux(vcpus: int = 1, package: str = "linux-image-amd64", block_limit: int = 0,
          flush_seed: int | None = None, ramdisk: Path | None = None,
          machine: tuple[tuple[str, str], ...] = ()) -> Outcome:
    """Debian's kernel to a shell, commands, and off. The architecture is the package's. `machine`: GuestConfig's."""
    arch = package.partition(":")[2] or "amd64"
    guest = launch(packages.kernel(package), GuestConfig(
        memory_mib=256, vcpus=vcpus, cmdline="console=hvc0 quiet", ramdisk=ramdisk or packages.ramdisk(arch=arch),
        machine=machine))
    lib.machine_set_block_limit(guest.hv.machine, block_limit)
    return converse(guest, LINUX, 40_000_000_000, flush_seed)


def finished(outcome: Outcome) -> bool:
    """Whether the guest powered off by itself and left its page types in order."""
    assert outcome.audit == "", outcome.audit
    return outcome.stop == Stop.SHUTDOWN.value and outcome.shutdown_code == 0


if __name__ == "__main__":
    done = {"grub": grub, "linux": linux, "linux4": lambda: linux(vcpus=4)}[sys.argv[1]]()
    print(json.dumps([done.instructions, done.state_hash, done.shutdown_code]))
