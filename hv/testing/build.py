"""Build guests: one C file and the guest library become one ELF file an environment.

The compiler is `zig cc` of the `ziglang` wheel: it makes code for every architecture without a cross
compiler and without root. An environment (pv64 ...) is data of its architecture: target, flags, library folders.
Everything is cached under the build folder by a digest of all that went in; files appear by rename, so
several processes may build at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from hv.arch import installed
from hv.arch.environment import Environment

_CHECKOUT = Path(__file__).resolve().parents[2]
_KIT = Path(__file__).resolve().parent / "kit"


def _places() -> tuple[Path, Path, Path]:
    """(guests, ABI headers, where to build): those of the checkout, or of the installed package (setup.py)."""
    if (_CHECKOUT / "guests" / "lib").is_dir():
        return _CHECKOUT / "guests", _CHECKOUT / "native" / "abi", _CHECKOUT / "build" / "guests"
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return _KIT, _KIT / "abi", cache_home / "xenlab" / "guests"


GUESTS, ABI, BUILD = _places()
FOLDERS = ("tests", "bench", "demos")
"""Below GUESTS: where a guest is looked for by its name, in this order."""


class BuildError(Exception):
    """A guest cannot be built: what the compiler said, or what is missing."""


class CompileError(BuildError):
    """The compiler or the linker refuses it. `said`: its messages."""

    def __init__(self, command: Sequence[str], said: str) -> None:
        super().__init__(f"{' '.join(command)}\n{said}".rstrip())
        self.said = said.rstrip()


_COMMON = (
    "-std=gnu11", "-O2", "-g", "-ffreestanding", "-fno-builtin", "-fno-stack-protector",
    "-fno-pic", "-fno-pie", "-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables",
    "-fno-sanitize=all", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Werror",
    "-Wno-unused-parameter", "-Wno-format", "-Wno-gnu-zero-variadic-macro-arguments",
)

ENVIRONMENTS: dict[str, Environment] = {
    env.name: env for module in installed("environments") for env in module.ENVIRONMENTS
}
"""Those of every architecture that is there."""
USUAL = next(iter(ENVIRONMENTS), "")
"""What guests are built for where nothing else is said."""


@cache
def zig() -> str:
    """The path of the zig program of the `ziglang` wheel. Raises BuildError."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        raise BuildError("the guest compiler is missing: pip install ziglang")
    return str(Path(next(iter(spec.submodule_search_locations))) / "zig")


def _shown_as(source: Path) -> list[str]:
    """What __FILE__ says, which ends up in the image: a guest must not depend on where it was built. Of overlapping
    prefixes the last one counts. Debuggers are told the whole path, in DWARF, which is not loaded."""
    return [f"-fmacro-prefix-map={prefix}{os.sep}=" for prefix in (source.parent, ABI.parent, GUESTS)]


def _run(command: Sequence[str]) -> None:
    env = dict(os.environ)
    env.setdefault("ZIG_GLOBAL_CACHE_DIR", str(BUILD.parent / "zig-cache"))
    env.setdefault("ZIG_LOCAL_CACHE_DIR", str(BUILD.parent / "zig-cache"))
    result = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if result.returncode:
        raise CompileError(command, result.stdout + result.stderr or f"exit status {result.returncode}")


def _files(folders: Iterable[Path], suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes)


@cache
def _library_digest(env: Environment) -> str:
    """Of every header, and of the flags: what each object depends on beside its own source."""
    digest = hashlib.sha256(repr(env._replace(help="")).encode() + repr(_COMMON).encode())
    folders = [GUESTS / "lib" / folder for folder in env.folders]
    for path in [*_files(folders, (".h", ".ld")), *_files([ABI], (".h", ".def"))]:
        digest.update(f"{path.parent.name}/{path.name}".encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _stamped(output: Path, digest: str) -> bool:
    stamp = output.with_suffix(output.suffix + ".stamp")
    return output.exists() and stamp.exists() and stamp.read_text() == digest


def _install(made: Path, output: Path, digest: str) -> None:
    stamp = output.with_suffix(output.suffix + ".stamp")
    stamp.unlink(missing_ok=True)
    made.replace(output)
    made.write_text(digest)
    made.replace(stamp)


def _scratch(output: Path) -> Path:
    output.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=output.name + ".", suffix=output.suffix, dir=output.parent)
    os.close(handle)
    return Path(name)


def _compile(env: Environment, source: Path, output: Path) -> str:
    """Compile one file; returns the digest of what it was made from."""
    inputs = [source, *sorted(source.parent.glob("*.[hS]"))]  # whatever it may include
    contents = b"\0".join(path.read_bytes() for path in inputs)
    shown = _shown_as(source)
    digest = hashlib.sha256((_library_digest(env) + repr((str(source), shown))).encode() + contents).hexdigest()
    if _stamped(output, digest):
        return digest
    made = _scratch(output)
    folders = [*(GUESTS / "lib" / name for name in env.folders), ABI.parent, source.parent]
    include = [f"-I{folder}" for folder in folders]
    try:
        # The digest is there for zig's own cache, which does not know what assembly code includes.
        _run([zig(), "cc", "-target", env.target, *_COMMON, *env.flags, *shown, *include, f"-DINPUTS=0x{digest[:16]}",
              "-c", str(source), "-o", str(made)])
        _install(made, output, digest)
    finally:
        made.unlink(missing_ok=True)
    return digest


@cache
def _library(env: Environment, jobs: int) -> list[tuple[Path, str]]:
    """Objects and their digests. Looked at once: like its headers, it stays as it is while this process runs."""
    sources = _files([GUESTS / "lib" / folder for folder in env.folders], (".c", ".S"))
    outputs = [BUILD / env.name / "lib" / f"{source.parent.name}_{source.stem}.o" for source in sources]
    alone = BUILD / env.name / "lib" / ".lock"
    alone.parent.mkdir(parents=True, exist_ok=True)
    # Several processes that build at once (hv test -j, pytest -n) would all compile the same library.
    with alone.open("w") as lock, ThreadPoolExecutor(jobs) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digests = pool.map(lambda pair: _compile(env, *pair), zip(sources, outputs, strict=True))
        return list(zip(outputs, digests, strict=True))


def _link(env: Environment, objects: list[tuple[Path, str]], output: Path) -> None:
    digest = hashlib.sha256(repr([d for _, d in objects]).encode()).hexdigest()
    if _stamped(output, digest):
        return
    made = _scratch(output)
    try:
        scripts = (GUESTS / "lib" / folder / "link.ld" for folder in env.folders)
        script = next(path for path in scripts if path.is_file())
        base = f"--defsym=base={env.base:#x}"
        _run([zig(), "ld.lld", "-m", env.emulation, "-static", "-z", "max-page-size=4096",
              "-z", "noexecstack", base, "-T", str(script), *(str(path) for path, _ in objects), "-o", str(made)])
        _install(made, output, digest)
    finally:
        made.unlink(missing_ok=True)


def guest_sources(folder: str = "tests") -> list[Path]:
    """The C files of guests/tests, guests/bench ..., sorted."""
    return sorted((GUESTS / folder).glob("*.c"))


def find_guest(name: str) -> Path:
    """The C file of a guest known by name (in the order of FOLDERS). Raises BuildError."""
    for folder in FOLDERS:
        path = GUESTS / folder / f"{name}.c"
        if path.is_file():
            return path
    raise BuildError(f"no guest {name!r}: there is no {name}.c in {', '.join(FOLDERS)} of guests/")


def build_guests(sources: Sequence[Path], env_name: str = USUAL, jobs: int | None = None) -> list[Path]:
    """Build each source for one environment; returns the ELF files in the same order. Raises BuildError."""
    env = ENVIRONMENTS.get(env_name)
    if env is None:
        raise BuildError(f"unknown environment {env_name!r} (known: {', '.join(ENVIRONMENTS)})")
    env = ENVIRONMENTS[env.image or env_name]
    if not (GUESTS / "lib").is_dir():
        raise BuildError(f"the guest library is missing: {GUESTS / 'lib'}; install xenlab anew, or use a checkout")
    jobs = jobs or os.cpu_count() or 1
    library = _library(env, jobs)

    def one(source: Path) -> Path:
        tag = hashlib.sha256(str(source.resolve().parent).encode()).hexdigest()[:8]
        stem = BUILD / env.name / f"{source.parent.name}-{tag}" / source.stem
        digest = _compile(env, source.resolve(), stem.with_suffix(".o"))
        _link(env, [*library, (stem.with_suffix(".o"), digest)], stem.with_suffix(".elf"))
        return stem.with_suffix(".elf")

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, sources))


def build_guest(source: Path, env_name: str = USUAL) -> Path:
    """Build one guest; returns its ELF file. Raises BuildError."""
    return build_guests([source], env_name)[0]


def main(names: Sequence[str]) -> int:
    """Build the guests named (a name, or a C file's path) and print the path of each ELF file."""
    if not names or any(name.startswith("-") for name in names):
        print("usage: python -m hv.testing.build NAME|FILE.c ...    (hv build says more)", file=sys.stderr)
        return 2
    try:
        sources = [Path(name) if name.endswith(".c") else find_guest(name) for name in names]
        for path in build_guests(sources):
            print(path)
    except BuildError as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
