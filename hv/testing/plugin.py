"""The pytest plugin: a fixture that boots guests.

    def test_hello(boot):
        dom = boot("hello").run()                  # a guest of guests/, a C file, or any kernel
        assert dom.verdict == Verdict.SUCCESS
        assert "Hello" in dom.console
        assert dom.traps == {}
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hv.testing.runner import DomainUnderTest, Options

Boot = Callable[..., DomainUnderTest]


@pytest.fixture
def boot() -> Boot:
    """`boot(guest, memory=MiB, vcpus=N, cmdline=TEXT, ramdisk=FILE, seed=N, quantum=N)`: a launched guest.

    `guest` is the name of a guest in guests/, the path of a C file, or the path of a kernel. The guest runs when
    `.run()` is called. What is not given comes from the header comment of the guest's C file.
    """

    def launch(guest: str | Path, **options: object) -> DomainUnderTest:
        return DomainUnderTest(guest, Options(**options))  # type: ignore[arg-type] # checked by the dataclass

    return launch
