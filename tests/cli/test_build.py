"""`hv build`: from a C file to a kernel that runs, and each way in which that fails in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile

from hv.arch import kinds
from hv.cli.main import main
from hv.testing.build import ENVIRONMENTS, find_guest

MINE = """\
#include <guest.h>
#include "mine.h"

void test_main(void) { printf(WORDS "\\n"); }
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("src").mkdir()
    Path("src/mine.c").write_text(MINE)
    Path("src/mine.h").write_text('#define WORDS "from a file of mine"\n')
    return tmp_path


def build(*words: str) -> int:
    try:
        return main(["build", *words])
    except SystemExit as left:
        return int(str(left.code))


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_c_file_becomes_a_kernel(env: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert build("src/mine.c", "--env", env) == 0
    assert capfd.readouterr().out == "mine.elf\n"
    with Path("mine.elf").open("rb") as file:
        elf = ELFFile(file)
        code = next(segment.header for segment in elf.iter_segments() if segment.header.p_flags & P_FLAGS.PF_X)
        assert code.p_vaddr <= elf.header.e_entry < code.p_vaddr + code.p_filesz


@pytest.mark.parametrize("env", [env.name for env in ENVIRONMENTS.values() if env.kind in kinds()])
def test_a_c_file_becomes_a_kernel_that_runs(env: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert build("src/mine.c", "--env", env) == 0
    capfd.readouterr()
    assert main(["run", "mine.elf", "--memory", "8"]) == 0
    assert "from a file of mine\n" in capfd.readouterr().out


def test_a_guest_by_its_name_and_another_place(capfd: pytest.CaptureFixture[str]) -> None:
    assert build("hello", "-o", "src/other") == 0
    assert capfd.readouterr().out == "src/other\n"
    assert build(str(find_guest("hello"))) == 0
    assert Path("src/other").read_bytes() == Path("hello.elf").read_bytes()


def test_what_the_compiler_says_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("src/mine.c").write_text("#include <guest.h>\nvoid test_main(void) { nothing(); }\n")
    assert build("src/mine.c") == 1
    first, second = capsys.readouterr().err.splitlines()[:2]
    assert first == "hv build: src/mine.c is refused by the compiler:"
    assert "mine.c:2:24: error: " in second
    assert not Path("mine.elf").exists()
    Path("src/mine.c").write_text("#include <guest.h>\n")
    assert build("src/mine.c") == 1
    assert "test_main" in capsys.readouterr().err  # the linker misses it


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.c"], "none.c: cannot be read: no such file or directory; give a C file"),
        (["src.c"], "src.c: cannot be read: is a directory; give a C file"),
        (["nowhere"], "no guest 'nowhere': there is no nowhere.c in "),
        (["src/mine.h"], "src/mine.h: it does not end in .c; give a C file"),
        (["src/mine.c", "-o", "src/mine.c"], "-o: src/mine.c is the C file itself; give another path"),
        (["src/mine.c", "-o", "/no/x"], "-o: /no/x cannot be written: no such file or directory; make its directory, "),
        (["src/mine.c", "--env", "x"], "--env: invalid choice: 'x' (choose from "),
        ([], "missing: FILE; see hv build --help"),
        (["hello", "--outptu", "x"], "there is no option --outptu, perhaps --output is meant; see hv build --help"),
    ],
)
def test_mistakes_are_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("src.c").mkdir()
    assert build(*words) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"hv build: {said}") and err.count("\n") == 1
    assert Path("src/mine.c").read_text() == MINE


def test_help_has_examples_and_environments(capsys: pytest.CaptureFixture[str]) -> None:
    assert build("--help") == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in ENVIRONMENTS) and "examples:" in shown and "exit codes:" in shown


def test_the_readme_begins_with_it() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    assert 0 < readme.index("hv build mine.c") < readme.index("hv run KERNEL")


def test_an_environment_that_a_guest_is_not_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["build", "timer", "--env", "arm64"]) == 2
    said = capsys.readouterr().err
    assert "it is for pv64, pv64low, not for arm64; give --env pv64" in said and said.count("\n") == 1
    assert not (tmp_path / "timer.elf").exists()
