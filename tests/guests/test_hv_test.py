"""`hv test`: verdicts, exit codes, repetition, JUnit; guests are small C files written here."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hv.cli.test import main
from hv.testing.build import BuildError, build_guest, find_guest
from hv.testing.metadata import MetadataError, read_metadata
from hv.testing.runner import Outcome, Verdict, run_test

HEADER = "/* @title t\n * @fact f\n * @source s\n * @env {env}\n{extra} */\n#include <guest.h>\n"


def guest(folder: Path, name: str, body: str, extra: str = "", env: str = "pv64") -> str:
    path = folder / f"{name}.c"
    path.write_text(HEADER.format(env=env, extra=extra) + f"void test_main(void)\n{{\n{body}\n}}\n")
    return str(path)


BODIES = {
    "good": ("", 0),
    "skipped": ('skip("nothing to do");', 3),
    "broken": ('broken("cannot");', 4),
    "failing": ("check(1 == 2);", 5),
    "silent": ("struct sched_shutdown s = { .reason = 0 }; hcall(sched_op, SCHEDOP_shutdown, &s);", 6),
}


@pytest.mark.parametrize("name", BODIES)
def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    body, code = BODIES[name]
    assert main([guest(tmp_path, name, body)]) == code
    assert Verdict(code).name in capsys.readouterr().out


def test_the_worst_wins_and_junit_says_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [guest(tmp_path, name, body) for name, (body, _) in BODIES.items()]
    junit = tmp_path / "out.xml"
    assert main([*files, "-j", "2", "--junit", str(junit)]) == 6
    said = capsys.readouterr().out
    assert "1 CRASH, 1 ERROR, 1 FAILURE, 1 SKIP, 1 SUCCESS" in said
    assert re.search(r"failing\.c:\d+: failed: 1 == 2", said)
    suite = ElementTree.parse(junit).getroot()
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["5", "1", "2", "1"]
    assert [case.get("name") for case in suite] == list(BODIES)


def test_repeat_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = guest(tmp_path, "good", 'printf("%lu\\n", clock_ns());')
    assert main([path, "--repeat", "3"]) == 0
    count = iter(range(10))

    def unsteady(name: str, options: object) -> Outcome:
        return Outcome(name=name, verdict=Verdict.SUCCESS, instructions=next(count))

    monkeypatch.setattr("hv.testing.runner.run_test", unsteady)
    assert main([path, "--repeat", "2"]) == 5


def test_what_the_header_promises_is_checked(tmp_path: Path) -> None:
    quiet = run_test(guest(tmp_path, "quiet", "", " * @traps UD:1\n"))
    assert quiet.verdict == Verdict.FAILURE
    assert "#UD came 0 times, not 1" in quiet.notes[0]
    (unknown,) = run_test(guest(tmp_path, "unknown", "", " * @traps DABT-EL1:1\n")).notes
    assert unknown == "@traps DABT-EL1: there is no such exception here"
    rebooted = run_test(guest(tmp_path, "rebooted", "", " * @shutdown reboot\n"))
    assert rebooted.notes == ("the domain ended by poweroff, not by reboot",)


def test_a_guest_that_hangs_is_a_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = guest(tmp_path, "endless", "for (;;) ;")
    assert main([path, "--max-insns", "1000000"]) == 6
    said = capsys.readouterr().out
    assert "did not shut down: max_insns" in said
    assert re.search(r"\n    d1v0 is \w+ at 0x[0-9a-f]+ test_main\S* \(endless.c:\d+\)\n", said)


@pytest.mark.parametrize("env", ["arm64", "arm32"])
def test_exceptions_of_arm_are_checked(tmp_path: Path, env: str) -> None:
    store = '"mov r0, #16\\n\\tstr r0, [r0]"' if env == "arm32" else '"mov x0, #16\\n\\tstr x0, [x0]"'
    abort = f"fault_arm(); __asm__ volatile(FAULTING({store}));"
    for count, said in (1, ()), (2, ("DABT-EL1 came 1 times, not 2",)):
        path = guest(tmp_path, "abort", abort, f" * @traps DABT-EL1:{count}\n", env)
        assert run_test(path).notes == said


def test_an_unexpected_exception_is_a_failure(tmp_path: Path) -> None:
    outcome = run_test(guest(tmp_path, "faulting", '__asm__ volatile("ud2");'))
    assert outcome.verdict == Verdict.FAILURE
    assert "unexpected #UD" in outcome.console


@pytest.mark.parametrize(
    ("extra", "says"),
    [(" * @nonsense 1\n", "unknown tag @nonsense"), (" * @vcpus many\n", "@vcpus must be a number"),
     (" * @traps GP\n", "NAME:COUNT"), (" * @title again\n", "@title is there twice")],
)  # fmt: skip
def test_wrong_headers(tmp_path: Path, extra: str, says: str) -> None:
    path = Path(guest(tmp_path, "header", "", extra))
    with pytest.raises(MetadataError, match=says):
        read_metadata(path)
    assert run_test(str(path)).verdict == Verdict.ERROR


def test_what_cannot_be_built(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="undeclared"):
        build_guest(Path(guest(tmp_path, "wrong", "nothing();")))
    with pytest.raises(BuildError, match="no guest 'nobody'"):
        find_guest("nobody")
    (tmp_path / "bare.c").write_text("int x;\n")
    with pytest.raises(MetadataError, match="no header comment"):
        read_metadata(tmp_path / "bare.c")
    assert run_test(str(tmp_path / "missing.elf")).verdict == Verdict.ERROR


def test_a_changed_header_is_noticed(tmp_path: Path) -> None:
    body = '#include "mine.h"\nprintf(MINE);'
    for text in ("three", "four"):
        (tmp_path / "mine.h").write_text(f'#define MINE "{text}\\n"\n')
        assert text in run_test(guest(tmp_path, "with_header", body)).console


def test_prose_behind_an_empty_line_is_no_tag() -> None:
    assert read_metadata(find_guest("tour")).environments == ("pv64", "arm64", "arm32")


def test_changed_assembly_code_is_noticed(tmp_path: Path) -> None:
    body = '__asm__(".pushsection .data; .include \\"mine.S\\"; .popsection"); extern char mine[]; printf("%s", mine);'
    for text in ("three", "four"):
        (tmp_path / "mine.S").write_text(f'mine: .asciz "{text}\\n"\n')
        assert text in run_test(guest(tmp_path, "with_assembly", body)).console


def test_a_changed_source_is_built_again(tmp_path: Path) -> None:
    assert "one" in run_test(guest(tmp_path, "text", 'printf("one\\n");')).console
    assert "two" in run_test(guest(tmp_path, "text", 'printf("two\\n");')).console
