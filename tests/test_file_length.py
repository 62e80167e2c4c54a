"""Small files with one job: 90% of the source files under 350 lines, none over 600 (design, section 7)."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE_TREES = ("hv", "isa", "native", "guests", "tests", "tools")
SOURCE_SUFFIXES = {".py", ".c", ".h", ".S", ".def"}
#: Written by a generator, not by hand.
GENERATED = {"hv/_abi_data.py", "hv/_native.c"}
USUAL, LIMIT, SHARE = 350, 600, 0.90


def lengths(root: Path) -> dict[str, int]:
    """Number of lines of each source file, by its path below `root`."""
    found: dict[str, int] = {}
    for tree in SOURCE_TREES:
        for path in sorted((root / tree).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix in SOURCE_SUFFIXES and path.is_file() and name not in GENERATED:
                found[name] = len(path.read_bytes().splitlines())
    return found


def complaints(found: dict[str, int]) -> list[str]:
    """What is too long, one line each."""
    said = [f"{name}: {n} lines, none may have more than {LIMIT}" for name, n in found.items() if n > LIMIT]
    long = sorted(((n, name) for name, n in found.items() if n >= USUAL), reverse=True)
    if len(long) > len(found) * (1 - SHARE):
        names = ", ".join(f"{name} ({n})" for n, name in long)
        said.append(f"{len(long)} of {len(found)} files have {USUAL} lines or more, a tenth may: {names}")
    return said


def test_files_are_short() -> None:
    found = lengths(ROOT)
    assert found, "no source file found: is the list of trees still right?"
    assert not complaints(found), "\n".join(complaints(found))


def test_the_rule_bites() -> None:
    assert complaints({"a.c": LIMIT + 1, **{f"{i}.c": 10 for i in range(20)}})
    assert complaints({"a.c": USUAL, "b.c": USUAL, **{f"{i}.c": 10 for i in range(10)}})
    assert not complaints({"a.c": LIMIT, **{f"{i}.c": USUAL - 1 for i in range(20)}})
