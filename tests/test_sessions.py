"""What the documents show of sessions is what those print: commands of `hv`, and the debugger's."""

from pathlib import Path

import pytest

from tests import sessions


@pytest.mark.parametrize("page", sessions.PAGES)
def test_the_sessions_of_a_page(page: str) -> None:
    """`python -m tests.sessions` writes them anew."""
    assert sessions.rewritten(page) == (sessions.ROOT / page).read_text()


def test_what_is_not_so_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    code = '`mine.c`:\n\n    #include <guest.h>\n\n    void test_main(void) { printf("42\\n"); }\n\n'
    shown = "    $ hv build mine.c\n    nothing\n    $ hv run mine.elf --memory 8\n    43\n"
    page.write_text(f"{code}Then:\n\n{shown}\nend\n")
    monkeypatch.setitem(sessions.PAGES, str(page), None)
    expected = f"{code}Then:\n\n    $ hv build mine.c\n    mine.elf\n    $ hv run mine.elf --memory 8\n    42\n"
    assert sessions.rewritten(str(page)) == f"{expected}    Test result: SUCCESS\n\nend\n"
