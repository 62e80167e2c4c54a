"""The `boot` fixture, as a user's tests have it."""

import tomllib
from pathlib import Path

import pytest

from hv.builder.image import BuilderError
from hv.testing.build import GUESTS, build_guest, find_guest
from hv.testing.plugin import Boot
from hv.testing.runner import Verdict
from hv.toolstack.screenshot import NoScreenError

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


@pytest.mark.parametrize("env", ["arm64", "arm32"])
def test_arm_and_its_machine(boot: Boot, env: str, tmp_path: Path) -> None:
    source = tmp_path / "version.c"
    header = "/* @title  one\n * @fact   two\n * @source three\n * @env    arm64 arm32\n */\n"
    body = 'void test_main(void) { printf("GICv%u\\n", gic_version()); }\n'
    source.write_text(f"{header}#include <guest.h>\n{body}")
    for machine, version in ((), 2), ("gic_version=v3", 3), ((("gic_version", "v3"),), 3):
        dom = boot(source, env=env, machine=machine).run()
        assert dom.verdict == Verdict.SUCCESS and f"GICv{version}\n" in dom.console
    with pytest.raises(ValueError, match="gic_version: each name wants =VALUE"):
        boot("hello", env=env, machine="gic_version")
    with pytest.raises(BuilderError, match="gic_version=v4 is no choice for a"):
        boot("hello", env=env, machine="gic_version=v4")


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


def test_what_a_pc_is_made_of_is_said_and_a_wrong_word_is_told(boot: Boot) -> None:
    with pytest.raises(TypeError, match="boot has no option memroy; it has beside, boot, cdrom, cmdline"):
        boot("hello", memroy=8)
    with pytest.raises(TypeError, match='only a PC \\(type="hvm"\\) can do without'):
        boot(disks=["disk.img"])
    with pytest.raises(BuilderError, match="nowhere.img"):
        boot(type="hvm", disks=["nowhere.img"], firmware=build_guest(find_guest("ide_pio"), "hvm64"))
    pc = boot(type="hvm", firmware=build_guest(find_guest("ide_pio"), "hvm64"), memory=16)
    assert pc.screen.text() == []
    with pytest.raises(NoScreenError, match="it has no screen"):
        boot("hello").screen.text()


@pytest.mark.parametrize(("giver", "taker"), [("pv64", "arm64"), ("arm32", "pvh64"), ("hvm64", "arm64")])
def test_two_guests_in_one_machine(boot: Boot, giver: str, taker: str) -> None:
    """Events and grants between them; either runs both, and the machine has one state."""
    source, hashes = GUESTS / "pairs" / "exchange.c", []
    for _ in range(2):
        first = boot(source, env=giver, memory=16, machine_memory=64, cmdline="role=1 self=1 peer=2")
        second = boot(source, env=taker, memory=16, cmdline="role=2 self=2 peer=1", beside=first)
        second.run()
        assert (first.verdict, second.verdict) == (Verdict.SUCCESS, Verdict.SUCCESS), first.console + second.console
        assert first.outcome().verdict == Verdict.SUCCESS and second.domain.domid == 2
        hashes += [(first.state_hash, first.instructions), (second.state_hash, second.instructions)]
    assert len(set(hashes)) == 1


def test_a_guest_for_which_the_machine_has_no_room(boot: Boot) -> None:
    first = boot("hello", memory=8)
    with pytest.raises(BuilderError, match="32 MiB is more than the .* give the first guest a larger machine_mib"):
        boot("hello", memory=32, beside=first)
