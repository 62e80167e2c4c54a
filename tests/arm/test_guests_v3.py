"""Guest tests of the interrupt controller and of what comes by it, with a GICv3. tests/guests has a GICv2."""

from __future__ import annotations

from pathlib import Path

import pytest

from hv.testing.runner import DomainUnderTest, Options, Verdict

GUESTS = Path(__file__).resolve().parents[2] / "guests" / "tests"
CONTROLLER = ("pending", "priority", "nesting", "split_end", "registers", "widths", "sgi", "banked", "targets")
CASES = [
    *(("arm64", f"arm_gic_{name}") for name in CONTROLLER),
    *(("arm64", name) for name in ("arm_icc", "arm_timer", "arm_fuzz_gic")),
    *((env, "arm_device_tree") for env in ("arm64", "arm32")),
    *(("arm32", f"arm_gic_{name}") for name in ("priority", "split_end", "sgi")),
]


@pytest.mark.parametrize(("env", "guest"), CASES)
def test_guest(env: str, guest: str) -> None:
    options = Options(env=env, machine=(("gic_version", "v3"),))
    outcome = DomainUnderTest(GUESTS / f"{guest}.c", options).run(100_000_000).outcome()
    assert outcome.verdict == Verdict.SUCCESS, "\n".join([outcome.console, *outcome.notes])
