"""A PV guest finds its ramdisk whole, wherever the domain builder puts it."""

from pathlib import Path

import pytest

from hv.testing.runner import DomainUnderTest, Options, Verdict

MAX_INSNS = 100_000_000


@pytest.mark.parametrize("env", ["pv64", "pv64low", "pv64p2m"])
@pytest.mark.parametrize("length", [1, 4096, 10_001])
def test_ramdisk(tmp_path: Path, env: str, length: int) -> None:
    data = bytes(i * i % 251 for i in range(length))
    (tmp_path / "module").write_bytes(data)
    options = Options(env=env, ramdisk=tmp_path / "module", cmdline=f"length={length} sum={sum(data)}")
    outcome = DomainUnderTest("ramdisk", options).run(MAX_INSNS).outcome()
    assert outcome.verdict == Verdict.SUCCESS, outcome.console
