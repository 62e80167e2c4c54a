"""A copied tree holds what the working tree holds, and nothing that it once held."""

import subprocess
from pathlib import Path

import pytest

from tests import tree


def test_what_is_gone_is_gone_from_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "ROOT", tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("build\n")
    (tmp_path / "lib").mkdir()
    for name in ("stays.c", "goes.c"):
        (tmp_path / "lib" / name).write_text(name)
    copy = tree.copy_tree("other")
    (copy / "built.o").touch()
    (tmp_path / "lib" / "goes.c").unlink()
    tree.copy_tree("other")
    assert [path.name for path in (copy / "lib").iterdir()] == ["stays.c"]
    assert (copy / "built.o").exists(), "what was built there is kept"
