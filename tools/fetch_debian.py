"""Fetch Debian packages by name, without root, and unpack them: never installed, never committed.

apt does the work with a state of its own below the target folder (lists, cache, an empty dpkg status), so
nothing of the host changes and foreign architectures need no `dpkg --add-architecture`. The sources are the
host's own, read from its apt configuration. What was fetched once is used again without the network.

    python tools/fetch_debian.py                         # what the real-guest tests need
    python tools/fetch_debian.py busybox-static:arm64    # NAME or NAME:ARCHITECTURE

Layout below the target folder (default build/guests): ARCH/NAME/ holds a package's files, ARCH/NAME/.version
its version. A name that is only a pointer, such as linux-image-amd64, is followed to the one package that it
depends on (`linux-image-6...`), whose files then lie under the name that was asked for.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "guests"
#: The unmodified guests of tests/real.
REAL_GUESTS = (
    "grub-xen-host", "grub-xen-bin", "linux-image-amd64", "linux-image-cloud-amd64", "busybox-static", "seabios",
    "memtest86+", "grub-pc-bin", "grub-common", "linux-image-686:i386", "linux-image-686-pae:i386",
    "busybox-static:i386", "xen-hypervisor-4.17-amd64", "ipxe-qemu", "linux-image-arm64:arm64",
    "linux-image-cloud-arm64:arm64", "linux-image-rt-arm64:arm64", "busybox-static:arm64",
    "linux-image-armmp-lpae:armhf", "linux-image-armmp:armhf", "busybox-static:armhf",
)
#: Seconds for one apt or dpkg-deb call; a registry that does not answer must not hang a test run.
TIMEOUT = 300


class FetchError(Exception):
    """A package could not be had; the message is one line for people."""


@dataclass(frozen=True)
class Package:
    """A package by Debian name and Debian architecture."""

    name: str
    arch: str = "amd64"

    @classmethod
    def parse(cls, text: str) -> "Package":
        """From NAME or NAME:ARCHITECTURE. Raises FetchError if it is neither."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?", text):
            raise FetchError(f"{text!r} is no package name; expected NAME or NAME:ARCHITECTURE")
        name, _, arch = text.partition(":")
        return cls(name, arch or "amd64")


def call(*command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a tool, return its output. Raises FetchError with the tool's own last words."""
    try:
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, timeout=TIMEOUT,
            env={**os.environ, "LC_ALL": "C", **(env or {})}, cwd=cwd, check=False,
        )
    except FileNotFoundError:
        raise FetchError(f"{command[0]} is not installed; fetching packages needs apt and dpkg") from None
    except subprocess.TimeoutExpired:
        raise FetchError(f"{command[0]} did not finish in {TIMEOUT} seconds") from None
    if done.returncode:
        said = done.stderr.splitlines() or [f"exit code {done.returncode}"]
        errors = [line for line in said if line.startswith("E:")] or said
        raise FetchError(f"{command[0]} failed: {errors[-1]}")
    return done.stdout


class PrivateApt:
    """apt with lists, cache and dpkg status of its own below `folder`, for one architecture."""

    def __init__(self, folder: Path, arch: str) -> None:
        self.folder = folder
        self.arch = arch
        self.config = folder / "apt.conf"

    def prepare(self) -> None:
        """Make the state and fetch the package lists. A source whose list cannot be had (a mirror in the middle of an
        update) takes nothing away from the others. Raises FetchError if none can."""
        for name in ("state/lists/partial", "cache/archives/partial", "etc/sources.list.d"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        self.copy_sources()
        settings = {
            "Dir::State": self.folder / "state",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Etc::sourcelist": self.folder / "etc" / "sources.list",
            "Dir::Etc::sourceparts": self.folder / "etc" / "sources.list.d",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Architecture": self.arch,
            # As root, apt would fetch as another user, who may not write here.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "true",
        }
        lines = [f'{key} "{value}";' for key, value in settings.items()]
        lines += ["#clear APT::Architectures;", f'APT::Architectures {{ "{self.arch}"; }};']
        self.config.write_text("\n".join(lines) + "\n")
        try:
            self.run("apt-get", "-qq", "update")
        except FetchError as error:
            if not any((self.folder / "state" / "lists").glob("*_Packages*")):
                raise
            print(f"fetch_debian: {error}", file=sys.stderr)

    def copy_sources(self) -> None:
        """Copy the host's package sources, without their architecture limits, into the private state."""
        said = call("apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f",
                    "PARTS", "Dir::Etc::sourceparts/d")
        where = dict(re.findall(r"^(\w+)='(.*)'$", said, re.MULTILINE))
        (self.folder / "etc" / "sources.list").touch()
        found = 0
        for path in (Path(where["LIST"]), *sorted(Path(where["PARTS"]).glob("*.list")),
                     *sorted(Path(where["PARTS"]).glob("*.sources"))):
            if path.is_file():
                text = path.read_text()
                text = re.sub(r"^Architectures:.*\n", "", text, flags=re.MULTILINE)
                text = re.sub(r"\barch=[\w,]+ ?", "", text)
                target = "sources.list" if path == Path(where["LIST"]) else f"sources.list.d/{path.name}"
                (self.folder / "etc" / target).write_text(text)
                found += 1
        if not found:
            raise FetchError(f"no package source: {where['LIST']} and {where['PARTS']} hold none")

    def run(self, tool: str, *words: str, cwd: Path | None = None) -> str:
        """Run an apt tool on the private state."""
        return call(tool, *words, env={"APT_CONFIG": str(self.config)}, cwd=cwd)

    def resolve(self, name: str) -> tuple[str, str]:
        """(name, version) of the package to unpack for `name`: itself, or what a meta package points to."""
        fields = self.show(name)
        if fields.get("Section", "").endswith("metapackages") or int(fields.get("Installed-Size", "99")) < 20:
            pointed = re.match(r"(linux-image-[\w.+-]+)", fields.get("Depends", ""))
            if pointed:
                name = pointed[1]
                fields = self.show(name)
        return name, fields["Version"]

    def show(self, name: str) -> dict[str, str]:
        """The fields of the newest version of package `name`."""
        try:
            text = self.run("apt-cache", "show", "--no-all-versions", name)
        except FetchError:
            raise FetchError(f"no package {name} for {self.arch} in the configured sources") from None
        return dict(re.findall(r"^([\w-]+): (.*)$", text, re.MULTILINE))

    def download(self, name: str, version: str) -> Path:
        """Path of the downloaded package file."""
        archives = self.folder / "cache" / "archives"
        self.run("apt-get", "-qq", "download", f"{name}={version}", cwd=archives)
        files = sorted(archives.glob(f"{name}_*.deb"), key=lambda path: path.stat().st_mtime_ns)
        if not files:
            raise FetchError(f"apt-get downloaded no file for {name} {version}")
        return files[-1]


def fetch(packages: Sequence[str | Package], target: Path = TARGET, refresh: bool = False) -> dict[str, Path]:
    """Make the files of each package available; folder of each by the name asked for.

    Nothing is fetched that is there already, unless `refresh`. Raises FetchError.
    """
    wanted = [p if isinstance(p, Package) else Package.parse(p) for p in packages]
    folders = {p: target / p.arch / p.name for p in wanted}
    missing = [p for p in wanted if refresh or not (folders[p] / ".version").exists()]
    for arch in sorted({p.arch for p in missing}):
        apt = PrivateApt(target.resolve() / ".apt" / arch, arch)
        apt.prepare()
        for package in (p for p in missing if p.arch == arch):
            unpack(apt, package, folders[package])
    return {p.name if p.arch == "amd64" else f"{p.name}:{p.arch}": folders[p] for p in wanted}


def unpack(apt: PrivateApt, package: Package, folder: Path) -> None:
    """Download `package` and put its files into `folder`, whole or not at all."""
    name, version = apt.resolve(package.name)
    deb = apt.download(name, version)
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    call("dpkg-deb", "-x", deb, fresh)
    (fresh / ".version").write_text(f"{name} {version}\n")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    deb.unlink()


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 0, or 1 with one line on stderr."""
    parser = argparse.ArgumentParser(description="Fetch Debian packages without root and unpack them.")
    parser.add_argument("packages", nargs="*", metavar="NAME[:ARCH]",
                        help=f"packages (default: {' '.join(REAL_GUESTS)})")
    parser.add_argument("--target", type=Path, default=TARGET, metavar="FOLDER", help="default: build/guests")
    parser.add_argument("--refresh", action="store_true", help="fetch again what is there already")
    options = parser.parse_args(argv)
    try:
        folders = fetch(options.packages or REAL_GUESTS, options.target, options.refresh)
    except (FetchError, OSError) as error:
        print(f"fetch_debian: {error}", file=sys.stderr)
        return 1
    for name, folder in folders.items():
        print(f"{name}: {(folder / '.version').read_text().strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
