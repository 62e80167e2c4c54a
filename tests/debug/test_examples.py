"""What the documents show of runs is what those runs say, hashes included: wherever the checkout lies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hv.builder.load import load_kernel
from hv.cli.main import main
from hv.testing.build import ENVIRONMENTS, build_guest, find_guest
from hv.testing.metadata import read_metadata

ROOT = Path(__file__).resolve().parents[2]


def test_the_hash_that_the_readme_shows(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--stats", str(build_guest(find_guest("hello")))]) == 0
    said = capfd.readouterr()
    shown = re.search(r"    (state hash [0-9a-f]{32})\.\.\.\n", (ROOT / "README.md").read_text())
    count = re.search(r"    instructions +[\d,]+\n", (ROOT / "README.md").read_text())
    assert shown is not None and shown[1] in said.err
    assert count is not None and " ".join(count[0].split()) in " ".join(said.err.split())


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_no_path_of_the_host_is_in_what_is_loaded(env: str, tmp_path: Path) -> None:
    """Else the state hash of a guest would depend on where it was built."""
    (tmp_path / "my.h").write_text('static const char *where = __FILE__ ":" __BASE_FILE__;\n')
    (tmp_path / "my.c").write_text(
        '#include <guest.h>\n#include "my.h"\n'
        'void test_main(void)\n{\n    check_eq(1, 1);\n    printf("%s\\n", where);\n}\n'
    )
    ours = [find_guest(name) for name in ("hello", "exc_pf", "exc_ud")]
    for source in (*(path for path in ours if env in read_metadata(path).environments), tmp_path / "my.c"):
        image = load_kernel(build_guest(source, env))
        loaded = b"".join(bytes(segment.data) for segment in image.segments)
        assert source.name.encode() in loaded
        for path in (str(ROOT), str(source.parent), str(tmp_path)):
            assert path.encode() not in loaded
