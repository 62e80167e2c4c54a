"""The pytest plugin: a fixture that boots guests.

    def test_hello(boot):
        dom = boot("hello").run()                  # a guest of guests/, a C file, or any kernel
        assert dom.verdict == Verdict.SUCCESS
        assert "Hello" in dom.console
        assert dom.traps == {}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from hv.testing.runner import DomainUnderTest, Options

NAMES = {field.name for field in dataclasses.fields(Options)}
Boot = Callable[..., DomainUnderTest]


@pytest.fixture
def boot() -> Boot:
    """`boot(guest, memory=MiB, vcpus=N, cmdline=TEXT, ramdisk=FILE, seed=N, quantum=N)`: a launched guest.

    `guest` is the name of a guest in guests/, the path of a C file, or the path of a kernel. The guest runs when
    `.run()` is called. What is not given comes from the header comment of the guest's C file.

    `boot(guest, env="arm64", machine="gic_version=v3")`: built for that environment; `machine` as `hv run` has it.

    Two guests in one machine: `back = boot("back.c", machine_memory=64)`, then `boot("front.c", env="arm64",
    beside=back)`; `.run()` of either runs both.

    A PC: `boot(type="hvm", disks=["disk.img"], cdrom=FILE, boot="cd", firmware=FILE)`, with or without a kernel; its
    screen is `dom.screen`. TypeError: an option that there is not.
    """

    def launch(guest: str | Path | None = None, **options: object) -> DomainUnderTest:
        unknown = options.keys() - NAMES
        if unknown:
            raise TypeError(f"boot has no option {', '.join(sorted(unknown))}; it has {', '.join(sorted(NAMES))}")
        if guest is None and options.get("type") != "hvm":
            raise TypeError('boot wants a guest; only a PC (type="hvm") can do without')
        return DomainUnderTest(guest, Options(**options))  # type: ignore[arg-type] # checked by the dataclass

    return launch
