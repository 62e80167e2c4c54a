"""Read the public headers and lists of this folder and write hv/_abi_data.py.

Run by native/build.py, or by hand: ``python native/abi/gen.py [OUTPUT]``. The headers are preprocessed with
the host's C compiler once per guest ABI and parsed with pycparser. Constants are evaluated and structures
laid out here, by the psABI rules of each guest; tests/native/test_abi.py holds that against compilers.

Nothing about the host reaches the output: the same headers give the same file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycparser import CParser, c_ast  # type: ignore[import-untyped, unused-ignore]

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent.parent / "hv" / "_abi_data.py"
ABIS = {"x86_64": "XEN_ABI_X86_64", "x86_32": "XEN_ABI_X86_32", "arm": "XEN_ABI_ARM"}
CONST_PREFIX = "XLC_"

# name -> (size, struct code); __extension types are spelled as the headers spell them
SCALARS = {
    "uint8_t": (1, "B"), "int8_t": (1, "b"), "uint16_t": (2, "H"), "int16_t": (2, "h"),
    "uint32_t": (4, "I"), "int32_t": (4, "i"), "uint64_t": (8, "Q"), "int64_t": (8, "q"),
    "int": (4, "i"), "unsigned int": (4, "I"), "char": (1, "s"), "void": (1, "B"),
}  # fmt: skip
PRELUDE = "".join(
    f"typedef {base} {name};\n"
    for name, base in [
        ("uint8_t", "unsigned char"), ("int8_t", "signed char"), ("uint16_t", "unsigned short"),
        ("int16_t", "short"), ("uint32_t", "unsigned int"), ("int32_t", "int"),
        ("uint64_t", "unsigned long long"), ("int64_t", "long long"),
    ]
)  # fmt: skip


class AbiError(Exception):
    """The headers or lists contradict themselves; the message names the file or the item."""


@dataclass
class Type:
    """A C type as laid out: `code` is a struct-module code, or an aggregate's name in `Layouts.table`."""

    size: int
    align: int
    code: str
    count: int = 0  # 0: not an array


@dataclass
class Layouts:
    """Everything known about one ABI while its declarations are read."""

    abi: str
    types: dict[str, Type] = field(default_factory=dict)
    table: dict[str, Any] = field(default_factory=dict)  # name -> (kind, size, align, fields)
    constants: dict[str, Any] = field(default_factory=dict)
    pack: list[int] = field(default_factory=list)

    def scalar(self, name: str) -> Type:
        """The type of a scalar by its C name."""
        size, code = SCALARS[name]
        # The i386 psABI aligns 8-byte integers inside structures to 4 bytes.
        return Type(size, min(size, 4) if self.abi == "x86_32" else size, code)

    # ---- types ----
    def resolve(self, node: Any, hint: str) -> Type:
        """Lay out the type of a declaration; `hint` names an anonymous aggregate."""
        if isinstance(node, c_ast.TypeDecl):
            return self.resolve(node.type, hint)
        if isinstance(node, c_ast.ArrayDecl):
            element = self.resolve(node.type, hint)
            count = self.evaluate(node.dim)
            if element.count:
                raise AbiError(f"{hint}: arrays of arrays are not supported")
            return Type(element.size * count, element.align, element.code, count)
        if isinstance(node, c_ast.IdentifierType):
            name = " ".join(node.names)
            return self.scalar(name) if name in SCALARS else self.types[name]
        if isinstance(node, c_ast.Struct | c_ast.Union):
            return self.aggregate(node, hint)
        if isinstance(node, c_ast.Enum):
            self.enumerators(node)
            return self.scalar("unsigned int")
        raise AbiError(f"{hint}: a {type(node).__name__} has no place in a guest ABI")

    def aggregate(self, node: Any, hint: str) -> Type:
        """Lay out a structure or union, or look up one that was."""
        name = node.name or hint
        if node.decls is not None or name not in self.table:
            self.table[name] = self.members(node, name)
        _, size, align, _ = self.table[name]
        return Type(size, align, name)

    def members(self, node: Any, name: str) -> tuple[str, int, int, tuple[Any, ...]]:
        """The table entry of an aggregate: (kind, size, alignment, ((name, offset, code, count), ...))."""
        kind = "union" if isinstance(node, c_ast.Union) else "struct"
        size, align, fields = 0, 1, []
        for decl in node.decls or []:
            member = self.resolve(decl.type, f"{name}.{decl.name}")
            member_align = min([member.align, *self.pack[-1:]])
            align = max(align, member_align)
            offset = 0 if kind == "union" else -(-size // member_align) * member_align
            size = max(size, offset + member.size)
            fields.append((decl.name, offset, member.code, member.count))
        return kind, -(-size // align) * align, align, tuple(fields)

    def enumerators(self, node: Any) -> None:
        """Note the constants of an enum."""
        value = -1
        for item in node.values.enumerators if node.values else []:
            value = self.evaluate(item.value) if item.value is not None else value + 1
            self.constants[item.name] = value

    # ---- constant expressions ----
    def evaluate(self, node: Any) -> int:
        """The value of an integer constant expression."""
        if isinstance(node, c_ast.Constant):
            return int(re.sub(r"[uUlL]+$", "", node.value), 0)
        if isinstance(node, c_ast.ID):
            return int(self.constants[node.name])
        if isinstance(node, c_ast.Cast):
            to = self.resolve(node.to_type.type, "cast")
            return self.evaluate(node.expr) & ((1 << 8 * to.size) - 1)
        if isinstance(node, c_ast.UnaryOp):
            if node.op == "sizeof":
                return self.resolve(node.expr.type, "sizeof").size
            value = self.evaluate(node.expr)
            return {"-": -value, "~": ~value, "+": value, "!": int(not value)}[node.op]
        if isinstance(node, c_ast.BinaryOp):
            return self.binary(node.op, self.evaluate(node.left), self.evaluate(node.right))
        raise AbiError(f"a {type(node).__name__} is not a constant expression")

    @staticmethod
    def binary(op: str, a: int, b: int) -> int:
        """One operator of a constant expression."""
        if op == "<<":
            return a << b
        if op == ">>":
            return a >> b
        return {"+": a + b, "-": a - b, "*": a * b, "|": a | b, "&": a & b, "/": a // b if b else 0}[op]

    # ---- declarations ----
    def read(self, ast: Any) -> None:
        """Read all declarations of a translation unit, in order."""
        for node in ast.ext:
            if isinstance(node, c_ast.Pragma):
                if node.string.startswith("pack(push"):
                    self.pack.append(int(re.findall(r"\d+", node.string)[0]))
                else:
                    self.pack.pop()
            elif isinstance(node, c_ast.Typedef):
                if node.name not in SCALARS:
                    self.types[node.name] = self.resolve(node.type, node.name)
            elif (node.name or "").startswith(CONST_PREFIX):
                self.constant(node.name.removeprefix(CONST_PREFIX), node.init.exprs)
            else:
                self.resolve(node.type, node.name or "")

    def constant(self, name: str, values: list[Any]) -> None:
        """One macro: an integer, or a string; lists of bytes are left out."""
        if len(values) == 1:
            value = values[0]
            text = isinstance(value, c_ast.Constant) and value.type == "string"
            self.constants[name] = value.value[1:-1] if text else self.evaluate(value)


# ---- the preprocessor ----
def compiler() -> list[str]:
    """The C compiler whose preprocessor is used: $CC, or the first of cc, gcc, clang, zig."""
    if os.environ.get("CC"):
        return os.environ["CC"].split()
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    return [sys.executable, "-m", "ziglang", "cc"]


def preprocess(text: str, abi: str, *flags: str) -> str:
    """Run the preprocessor over `text` with the headers of this folder in reach."""
    command = [*compiler(), "-E", "-nostdinc", "-DXENLAB_ABI_GEN", f"-D{ABIS[abi]}", *flags]
    command += [f"-I{HERE.parent}", "-x", "c", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AbiError(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def headers(abi: str) -> list[str]:
    """The headers that describe `abi`, as include paths."""
    names = [p.name for p in sorted(HERE.glob("*.h"))]
    names += [f"io/{p.name}" for p in sorted((HERE / "io").glob("*.h"))]
    return names if abi == "arm" else [*names, "arch/x86_defs.h"]


def read_abi(abi: str) -> Layouts:
    """Constants and layouts of one ABI."""
    includes = "".join(f'#include "abi/{name}"\n' for name in headers(abi))

    def macros(text: str) -> list[str]:
        return re.findall(r"^#define (\w+) +\S", preprocess(text, abi, "-dM"), re.M)

    builtin = set(macros(""))
    names = [n for n in macros(includes) if n not in builtin and n != "XEN_GUEST_HANDLE"]
    constants = "".join(f"int {CONST_PREFIX}{name}[] = {{ {name} }};\n" for name in sorted(names))
    text = PRELUDE + preprocess(includes + constants, abi, "-P")
    layouts = Layouts(abi)
    layouts.read(CParser().parse(text, filename=f"abi/{abi}"))
    layouts.constants.pop(ABIS[abi], None)
    layouts.constants.pop("XENLAB_ABI_GEN", None)
    return layouts


# ---- the lists ----
def def_items(name: str, macro: str) -> list[list[str]]:
    """The calls of `macro` in a .def file, as lists of arguments; string literals are joined and unquoted."""
    text = re.sub(r"/\*.*?\*/", "", (HERE / name).read_text(), flags=re.S)
    string = r'"(?:\\.|[^"\\])*"'
    argument = rf"\s*(?:{string}\s*)+|[^,()\"]+"

    def plain(text: str) -> str:
        return "".join(re.findall(r'"((?:\\.|[^"\\])*)"', text)) if '"' in text else text.strip()

    items = [
        [plain(a) for a in re.findall(argument, body)]
        for body in re.findall(rf"\b{macro}\(((?:{string}|[^()\"])*)\)", text)
    ]
    if len(items) != len(re.findall(rf"\b{macro}\(", text)):
        raise AbiError(f"{name}: an entry is not of the form {macro}(...)")
    return items


def read_rules(errnos: dict[str, int]) -> dict[str, tuple[int, str, tuple[str, ...], str]]:
    """rules.def as id -> (number, errno name, facts, sentence); every contradiction is an AbiError."""
    rules: dict[str, tuple[int, str, tuple[str, ...], str]] = {}
    for number, item in enumerate(def_items("rules.def", "RULE"), 1):
        if len(item) != 4:
            raise AbiError(f"rules.def: {item[0]}: 4 arguments wanted, {len(item)} found")
        name, errno, facts_text, sentence = item
        facts = tuple(f for f in facts_text.split(",") if f)
        if name in rules:
            raise AbiError(f"rules.def: {name} is defined twice")
        if errno not in errnos:
            raise AbiError(f"rules.def: {name}: {errno} is not in errno.def")
        unknown = set(re.findall(r"\{(\w+)", sentence)) - set(facts)
        if unknown or len(facts) > 4:
            raise AbiError(f"rules.def: {name}: facts {facts} (at most 4), but the sentence uses {unknown}")
        rules[name] = (number, errno, facts, sentence)
    return rules


HEADER = '''"""Written by native/abi/gen.py. Do not edit.

Tables as text, one row a line, columns parted by tabs: hv/abi.py reads a layout when it is asked for, so that
importing costs next to nothing, byte-compiled or not.
"""
'''


def rows(items: Iterable[Iterable[object]]) -> str:
    """A table as text."""
    return "".join("\t".join(str(column).replace("\\", "\\\\") for column in item) + "\n" for item in items)


def layout_rows(layouts: Layouts) -> str:
    """The aggregates of one ABI: name, kind, size, alignment, then `name:offset:code:count` a field."""
    return rows(
        (name, kind, size, align, *(f"{n}:{offset}:{code}:{count}" for n, offset, code, count in fields))
        for name, (kind, size, align, fields) in layouts.table.items()
    )


def generate(output: Path = OUTPUT) -> bool:
    """Write the data module; True when it changed. AbiError: the headers or lists are wrong."""
    layouts = {abi: read_abi(abi) for abi in ABIS}
    errnos = {name: int(value) for name, value in def_items("errno.def", "XEN_ERRNO")}
    everywhere = layouts["x86_64"].constants
    others = {
        abi: {k: v for k, v in one.constants.items() if everywhere.get(k) != v}
        for abi, one in layouts.items()
        if abi != "x86_64"
    }
    rules = [(n, str(number), e, ",".join(f), s) for n, (number, e, f, s) in read_rules(errnos).items()]
    parts: dict[str, str | dict[str, str]] = {
        "CONSTANTS": rows(everywhere.items()),
        "OTHER_CONSTANTS": {abi: rows(values.items()) for abi, values in others.items()},
        "ERRNOS": rows(errnos.items()),
        "HYPERCALLS": rows(def_items("hypercalls.def", "HYPERCALL")),
        "SUBOPS": rows(def_items("subops.def", "SUBOP")),
        "RULES": rows(rules),
        "LAYOUTS": {abi: layout_rows(one) for abi, one in layouts.items()},
    }
    text = HEADER
    for name, value in parts.items():
        if isinstance(value, str):
            text += f'\n{name} = """\\\n{value}"""\n'
        else:
            inside = "".join(f'    "{abi}": """\\\n{table}""",\n' for abi, table in value.items())
            text += f"\n{name} = {{\n{inside}}}\n"
    if output.exists() and output.read_text() == text:
        return False
    output.write_text(text)
    return True


if __name__ == "__main__":
    try:
        generate(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT)
    except AbiError as error:
        sys.exit(f"gen.py: {error}")
