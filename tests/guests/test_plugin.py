"""The `boot` fixture, as a user's tests have it."""

import tomllib
from pathlib import Path

import pytest

from hv.testing.plugin import Boot
from hv.testing.runner import Verdict

ROOT = Path(__file__).resolve().parents[2]


def test_hello(boot: Boot) -> None:
    dom = boot("hello").run()
    assert dom.verdict == Verdict.SUCCESS
    assert "Hello" in dom.console
    assert dom.traps == {}
    assert dom.hypercalls["set_trap_table"] == 1
    assert dom.shutdown == "poweroff"
    assert dom.instructions > 1000


def test_equal_runs(boot: Boot) -> None:
    runs = [boot("smp", seed=3).run() for _ in range(2)]
    assert runs[0].state_hash == runs[1].state_hash
    assert runs[0].instructions == runs[1].instructions


def test_options_win_over_the_header(boot: Boot) -> None:
    dom = boot("shutdown", cmdline="reason=3", memory=32).run()
    assert dom.shutdown == "crash"


@pytest.mark.parametrize(("code", "name"), list(enumerate(["poweroff", "reboot", "suspend", "crash"])))
def test_shutdown_reasons(boot: Boot, code: int, name: str) -> None:
    dom = boot("shutdown", cmdline=f"reason={code}").run()
    assert dom.verdict == Verdict.SUCCESS
    assert dom.shutdown == name


def test_typing(boot: Boot, tmp_path: Path) -> None:
    source = tmp_path / "echo.c"
    source.write_text("""
/* @title echo
 * @fact  the guest reads what is typed
 * @source io/console.h
 * @env pv64 */
#include <guest.h>
void test_main(void)
{
    char line[64];
    size_t n = 0;

    while (n == 0)
        n = console_read(line, sizeof(line) - 1);
    line[n] = 0;
    printf("got %s", line);
}
""")
    dom = boot(source)
    dom.type("hello\n")
    assert "got hello" in dom.run(50_000_000).console


def test_the_plugin_is_registered() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"]["xenlab"] == "hv.testing.plugin"
