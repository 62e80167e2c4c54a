"""Who may import whom, read from the sources: Python by its syntax tree, C by its #include lines.

A rule is data: which files it speaks of, and what those may not reach. `test_the_rules_bite` keeps the
checkers honest.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Rule:
    """Files below `where`, apart from those below `but`, import no module below `never`."""

    where: str
    never: tuple[str, ...]
    why: str
    but: tuple[str, ...] = ()


TOP = ("hv.cli", "hv.toolstack", "hv.testing", "hv.debug")
#: Packages that sit on top of the hypervisor and may know each other.
TOP_FOLDERS = ("hv/cli", "hv/toolstack", "hv/testing", "hv/debug")

X86_CALLS = tuple(path.stem for path in (ROOT / "hv/arch/x86/hypercalls").glob("[a-z]*.py"))
RULES = (
    Rule("isa", ("hv",), "an architecture's data knows no hypervisor"),
    Rule("hv", ("hv._native",), "hv/native.py is the only importer of the compiled module",
         but=("hv/native.py",)),
    Rule("hv", TOP, "the hypervisor does not know what sits on top of it", but=TOP_FOLDERS),
    Rule("hv/hypercalls", ("hv.hypercalls",), "one hypercall does not know another",
         but=("hv/hypercalls/__init__.py",)),
    Rule("hv/arch/x86/hypercalls", tuple(f"hv.arch.x86.hypercalls.{name}" for name in X86_CALLS),
         "one hypercall does not know another"),
    Rule("hv/arch", ("hv.hypercalls",), "one hypercall does not know another"),
    Rule("hv/devices", ("hv.hypercalls", "hv.hypercall"), "a device knows no hypercall"),
    Rule("hv", ("hv.arch.x86", "hv.arch.arm"), "neutral code imports no architecture",
         but=("hv/arch/x86", "hv/arch/arm")),
    Rule("hv/arch/x86", ("hv.arch.arm", "isa.arm"), "an architecture knows no other"),
    Rule("hv/arch/arm", ("hv.arch.x86", "isa.x86"), "an architecture knows no other"),
    Rule("hv", ("isa.x86", "isa.arm"), "neutral code asks `isa`, not one architecture of it",
         but=("hv/arch/x86", "hv/arch/arm")),
    Rule("hv", ("tests", "tools", "guests"), "the package stands alone"),
)

#: Words of each architecture: its registers, tables, devices of its processors, formats of its kernels.
WORDS = {
    "x86": re.compile(r"(?<![a-zA-Z0-9_])(?:x86\w*|i386|r[abcd]x|r[ds]i|rflags|rip|cr[0234]\w*|e820\w*|m2p\w*"
                      r"|[gil]dt|iopl\w*|bzimage\w*|l?apic\w*|ioapic\w*)(?![a-zA-Z0-9_])"),
    "arm": re.compile(r"(?<![a-zA-Z0-9_])(?:arm|arm32|arm64|aarch64|gic[cdr]?|psci\w*|pl011|ttbr\w*|spsr\w*)"
                      r"(?![a-zA-Z0-9_])"),
}
MAY_NAME = (
    "hv/devices",                    # of a PC: buses and devices, no processor
    "hv/debug",                      # still does
    "hv/abi.py", "hv/_abi_data.py",  # layouts of every guest ABI, by name
    "hv/arch/__init__.py",           # guest ABI to folder
    "hv/backend/block_requests.py",  # what a front end calls the ABI of its ring
    "hv/builder/elf.py",             # machines of ELF files: to say what a file is for
    "hv/arch/arm/boot.py",           # options of x86's, refused by name
    "hv/net/nat.py", "hv/net/port.py", "hv/net/tcp.py",  # they arm timers
)

#: Third-party modules by tree. The standard library and our own packages are always allowed.
THIRD_PARTY = {
    "isa": {"capstone"},
    "hv": {"capstone", "cffi", "elftools", "libfdt", "lz4", "zstandard", "textual", "pytest", "_pytest",
           "cryptography"},
}
#: Packages that only some folder may import.
ONLY_IN = {"pytest": ("hv/testing",), "_pytest": ("hv/testing",), "textual": ("hv/debug/screen",),
           "cryptography": ("hv/toolstack/vnc",), "libfdt": ("hv/arch/arm", "hv/debug")}

#: Which #include "..." a C tree may reach: prefixes of paths below the root.
C_MAY_INCLUDE = {
    "native/abi": ("native/abi",),
    "native/engine": ("native/engine", "native/abi/arch"),
    "native/xen": ("native/xen", "native/engine", "native/abi"),
    "guests": ("guests", "native/abi"),
}
#: Folders of each architecture in C; neutral files, and those of the other, include nothing of them.
C_ARCHITECTURES = {name: (f"native/engine/{name}", f"native/xen/{name}") for name in ("x86", "arm")}
#: Where the build says which architectures there are (XENLAB_X86, XENLAB_ARM), and what reads the offsets of each.
C_MAY_CHOOSE = ("native/xen/xen.h", "native/xen/state.h", "native/engine/internals")
#: Folders given with -I.
INCLUDE_FOLDERS = ("native", "native/abi", "guests", "guests/lib")
#: <...> of libraries, beside the C library's own.
C_LIBRARY = {"unicorn/": ("native/engine",)}
XEN_WORD = re.compile(r"\b(xen\w*|hypercall_fn|evtchn\w*|grant_table|start_info|shared_info|pv_\w+)\b",
                      re.IGNORECASE)


def below(name: str, prefixes: tuple[str, ...], separator: str) -> bool:
    """Whether `name` is one of `prefixes` or lies under one."""
    return any(name == prefix or name.startswith(prefix + separator) for prefix in prefixes)


def imported(text: str, name: str) -> Iterator[str]:
    """Full names of the modules, or of names in modules, that the Python file `name` imports."""
    package = name.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(ast.parse(text, name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, node.module] if node.module else base)
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def python_complaints(text: str, name: str) -> list[str]:
    """What the Python file `name` imports against the rules."""
    said = []
    for module in imported(text, name):
        for rule in RULES:
            concerned = below(name, (rule.where,), "/") and not below(name, rule.but, "/")
            if concerned and below(module, rule.never, "."):
                said.append(f"{name} imports {module}: {rule.why}")
        top, tree = module.split(".")[0], name.split("/")[0]
        if top in sys.stdlib_module_names or top in ("hv", "isa"):
            continue
        if top not in THIRD_PARTY.get(tree, {top}):
            said.append(f"{name} imports {module}: only {', '.join(sorted(THIRD_PARTY[tree]))} may be")
        elif top in ONLY_IN and tree in THIRD_PARTY and not below(name, ONLY_IN[top], "/"):
            said.append(f"{name} imports {module}: only {', '.join(ONLY_IN[top])} may")
    return said


def architecture_words(text: str, name: str) -> Iterator[tuple[str, str]]:
    """Words of an architecture in the code of a neutral Python file, with whose they are."""
    if below(name, MAY_NAME, "/") or not any(words.search(text) for words in WORDS.values()):
        return
    tree = ast.parse(text, name)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in docstrings:
            continue
        said = next((value for field in ("id", "attr", "arg", "name", "value")
                     if isinstance(value := getattr(node, field, None), str)), "")
        for architecture, words in WORDS.items():
            if not below(name, (f"hv/arch/{architecture}",), "/"):
                yield from ((architecture, word) for word in words.findall(said))


def c_complaints(text: str, name: str, exists: frozenset[str] = frozenset()) -> list[str]:
    """What the C file `name` includes against the rules. `exists`: files that an include may mean."""
    tree = next((t for t in C_MAY_INCLUDE if below(name, (t,), "/")), None)
    if tree is None:
        return []
    said = []
    for kind, target in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', text, re.MULTILINE):
        if kind == "<":
            for prefix, allowed in C_LIBRARY.items():
                if target.startswith(prefix) and tree not in allowed:
                    said.append(f"{name} includes <{target}>: only {', '.join(allowed)} may")
            continue
        beside = resolve(f"{name.rpartition('/')[0]}/{target}")
        # An include is found beside the file, or below one of the -I folders.
        candidates = [beside, *(f"{folder}/{target}" for folder in INCLUDE_FOLDERS)]
        path = next((c for c in candidates if c in exists), beside)
        if not below(path, C_MAY_INCLUDE[tree], "/"):
            said.append(f'{name} includes "{target}": only from {", ".join(C_MAY_INCLUDE[tree])}')
        said += [f'{name} includes "{target}": that is of {architecture}, which may be missing'
                 for architecture, folders in C_ARCHITECTURES.items()
                 if below(path, folders, "/") and not below(name, (*folders, *C_MAY_CHOOSE), "/")]
    return said


def resolve(path: str) -> str:
    """`path` without its `..` steps."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def xen_words(text: str) -> list[str]:
    """Xen words in a C text, comments and the project's own name apart."""
    code = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    return [word for word in XEN_WORD.findall(code) if not word.upper().startswith("XENLAB")]


def sources(suffixes: set[str], *trees: str) -> Iterator[tuple[str, str]]:
    """(path below the root, text) of each source file."""
    for tree in trees:
        for path in sorted((ROOT / tree).rglob("*")):
            if path.suffix in suffixes and path.name != "_abi_data.py":
                yield path.relative_to(ROOT).as_posix(), path.read_text()


def test_python_imports() -> None:
    said = [line for name, text in sources({".py"}, "hv", "isa") for line in python_complaints(text, name)]
    assert not said, "\n".join(said)


def test_c_includes() -> None:
    files = dict(sources({".c", ".h", ".S", ".def"}, "native", "guests"))
    said = [line for name, text in files.items() for line in c_complaints(text, name, frozenset(files))]
    assert not said, "\n".join(said)


def test_engine_has_no_xen_word() -> None:
    files = sources({".c", ".h"}, "native/engine")
    said = [f"{name}: {', '.join(sorted(set(words)))}" for name, text in files
            if (words := xen_words(text))]
    assert not said, "\n".join(said)


def test_neutral_code_asks_no_architecture_by_name() -> None:
    """Outside hv/arch nothing compares an `arch` with a name: it asks `isa`."""
    pattern = re.compile(r"""\barch\s*(==|!=|is)\s*["']""")
    files = [(name, text) for name, text in sources({".py"}, "hv") if not below(name, ("hv/arch",), "/")]
    said = [f"{name}: {line.strip()}" for name, text in files
            for line in text.splitlines() if pattern.search(line)]
    assert not said, "\n".join(said)


def test_neutral_code_names_nothing_of_an_architecture() -> None:
    """Identifiers and texts, comments and docstrings apart, of `hv` outside an architecture's folder."""
    said = [f"{name} names {word}, which is {architecture}'s" for name, text in sources({".py"}, "hv")
            for architecture, word in architecture_words(text, name)]
    assert not said, "\n".join(said)


def test_the_rules_bite() -> None:
    assert python_complaints("from hv import frames", "isa/x86/registers.py")
    assert python_complaints("from hv._native import lib", "hv/domain.py")
    assert not python_complaints("from hv._native import lib", "hv/native.py")
    assert python_complaints("import hv.cli.main", "hv/vcpu.py")
    assert python_complaints("from ..debug import trace", "hv/sched/credit.py")
    assert not python_complaints("from ..debug import trace", "hv/cli/run.py")
    assert python_complaints("from .sched_op import poll", "hv/hypercalls/event_channel_op.py")
    assert python_complaints("from hv.hypercalls import sched_op", "hv/devices/uart.py")
    assert python_complaints("import numpy", "hv/frames.py")
    assert python_complaints("import pytest", "hv/frames.py")
    assert not python_complaints("import pytest", "hv/testing/plugin.py")
    assert python_complaints("import isa.x86.paging", "hv/p2m.py")
    assert python_complaints("from hv.arch.x86 import boot", "hv/builder/load.py")
    assert python_complaints("from hv.arch.x86.builder.pc import make_pc", "hv/toolstack/launch.py")
    assert python_complaints("from ..x86 import mode", "hv/arch/arm/mode.py")
    assert not python_complaints("from hv.arch import architecture", "hv/toolstack/launch.py")
    assert not python_complaints("import isa.x86.paging", "hv/arch/x86/pv.py")

    assert [*architecture_words('"""cr3 of a docstring"""\nvcpu.c.cr3_kernel = int(rax)', "hv/vcpu.py")] == [
        ("x86", "cr3_kernel"), ("x86", "rax")]
    assert [*architecture_words('load("hv.arch.arm.boot")', "hv/domain.py")] == [("arm", "arm")]
    assert [*architecture_words("gic = cr3", "hv/arch/x86/boot.py")] == [("arm", "gic")]
    assert not [*architecture_words("cr3 = gicd", "hv/devices/vga.py")]

    assert c_complaints('#include "../xen/hv.h"', "native/engine/tlb.c")
    assert c_complaints('#include "x86/pv.h"', "native/xen/hv.c")
    assert c_complaints('#include "../x86/pv.h"', "native/xen/arm/cpu.c")
    assert not c_complaints('#include "hvm/hvm.h"', "native/xen/x86/machine.c")
    assert not c_complaints('#include "arm/state.h"', "native/xen/state.h")
    assert not c_complaints('#include "../engine/engine.h"', "native/xen/hv.c")
    assert c_complaints('#include "../../native/xen/hv.h"', "guests/tests/hello.c")
    assert c_complaints("#include <unicorn/unicorn.h>", "native/xen/hv.c")
    assert not c_complaints("#include <unicorn/unicorn.h>", "native/engine/cpu.c")
    exists = frozenset({"native/abi/xen.h"})
    assert not c_complaints('#include "abi/xen.h"', "native/xen/hv.c", exists)
    assert c_complaints('#include "abi/xen.h"', "native/engine/cpu.c", exists)

    assert xen_words("int evtchn_port; /* xen */") == ["evtchn_port"]
    assert not xen_words("#ifndef XENLAB_ENGINE_H /* not one Xen word */")
