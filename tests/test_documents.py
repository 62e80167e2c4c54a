"""The documents do not point to what is not there: links, and paths of the tree in backquotes."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
#: Folders of the source tree; a path below one of them that a document names must exist.
TREES = ("native/", "hv/", "isa/", "guests/", "tests/", "tools/", "docs/")
#: Written by the build.
MADE = {"hv/_abi_data.py", "hv/_native"}


def missing(document: Path) -> list[str]:
    """Links and paths in a document that lead nowhere."""
    text = document.read_text()
    links = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    gone = [link for link in links if not (document.parent / link).exists()]
    for path in re.findall(r"`([a-z]+/[\w./*{},-]*)`", text):
        if path.startswith(TREES) and path not in MADE and "{" not in path and not list(ROOT.glob(path.rstrip("/"))):
            gone.append(path)
    return gone


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_paths_exist(document: Path) -> None:
    assert missing(document) == []


def test_a_wrong_path_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[x](nowhere.md), `hv/no_such_file.py` and `hv/abi.py`")
    assert missing(page) == ["nowhere.md", "hv/no_such_file.py"]
