"""The core of `hv screenshot`: which screen is meant, and refusals in one line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hv.debug.snapshot_file import SnapshotFileError, save
from hv.testing.runner import DomainUnderTest
from hv.toolstack.screenshot import NoScreenError, find_screen, screen_of, snapshot_png
from tests.devices.vga.bench import VgaBench
from tests.toolstack.vnc.bench import text_screen


def machine(**domains: VgaBench | None) -> Any:
    """A hypervisor as far as a screenshot looks at one: domains by name, with a VGA or without any platform."""
    made = {}
    for domid, (name, bench) in enumerate(domains.items(), 1):
        platform = bench and SimpleNamespace(devices={"serial0": object(), "vga": bench.vga})
        made[domid] = SimpleNamespace(domid=domid, name=name, platform=platform)
    return SimpleNamespace(domains=made)


def test_the_first_domain_with_a_screen_or_the_one_that_is_named() -> None:
    one, other = text_screen(), text_screen()
    other.say(5, 0, "OTHER")
    hv = machine(pv=None, one=one, other=other)
    assert find_screen(hv).text() == one.screen.text()
    assert find_screen(hv, "other").text()[5] == "OTHER"
    assert find_screen(hv, "3").png() == other.screen.png()
    assert screen_of(hv.domains[2]).picture() == one.screen.picture()


@pytest.mark.parametrize(("name", "message"), [
    ("pv", "domain pv: it has no screen; remedy: "), ("lost", "lost: there is no such domain; remedy: .* pv, one"),
])  # fmt: skip
def test_refusals(name: str, message: str) -> None:
    with pytest.raises(NoScreenError, match=message):
        find_screen(machine(pv=None, one=text_screen()), name)


def test_nobody_has_a_screen() -> None:
    with pytest.raises(NoScreenError, match="domain pv: it has no screen"):
        find_screen(machine(pv=None))
    with pytest.raises(NoScreenError, match="there is no domain"):
        find_screen(machine())


def test_a_snapshot_without_a_screen_and_a_file_that_is_none(tmp_path: Path) -> None:
    dom = DomainUnderTest("hello")
    dom.hv.run(max_insns=100)
    save(tmp_path / "pv.snapshot", dom.hv, [dom.hv.snapshot()], {})
    with pytest.raises(NoScreenError, match="it has no screen"):
        snapshot_png(tmp_path / "pv.snapshot")
    (tmp_path / "noise").write_bytes(b"noise")
    with pytest.raises(SnapshotFileError):
        snapshot_png(tmp_path / "noise")
