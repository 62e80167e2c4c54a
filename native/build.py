"""Build the extension module `hv._native`: the C of native/ linked with libunicorn, seen through cffi.

The declarations for cffi come from the same headers that the C files include: the preprocessor runs over
`xen/xen.h` with XENLAB_CFFI defined, and its output is the cdef. Run by hand (`python native/build.py`) it
builds in place; setuptools calls `ffibuilder` through `cffi_modules`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "native"

# Functions of libunicorn that the engine stands in for. The linker sends each call of NAME_TARGET to our
# __wrap_NAME_TARGET and leaves the original reachable as __real_NAME_TARGET. COMMON: of every target
# (native/engine/target).
COMMON = [
    "helper_check_exit_request",
    "tcg_gen_callN",
    "translator_loop",
    "gen_intermediate_code",
    "restore_state_to_opc",
    "cpu_restore_state",
    "cpu_loop_exit_noexc",
    "cpu_check_watchpoint",
    "cpu_watchpoint_address_matches",
    "tlb_reset_dirty_by_vaddr",
    "tlb_flush",
]
WRAPPED_X86 = [
    "helper_syscall",
    "helper_sysenter",
    "helper_cpuid",
    "helper_rdtsc",
    "helper_rdtscp",
    "helper_rdpmc",
    "helper_inb",
    "helper_inw",
    "helper_inl",
    "helper_outb",
    "helper_outw",
    "helper_outl",
    "helper_rdrand",
    "helper_raise_exception",
    "helper_raise_interrupt",
    "helper_into",
    "helper_single_step",
    "helper_rechecking_single_step",
    "helper_debug",
    "helper_ldmxcsr", "helper_fxrstor",
    "helper_pause", "helper_hlt", "helper_rdmsr", "helper_wrmsr", "helper_read_crN", "helper_write_crN",
    "helper_invlpg",
    "helper_ltr", "helper_ljmp_protected", "helper_lcall_protected", "helper_iret_protected", "helper_lret_protected",
    "helper_load_seg", "helper_sysret", "helper_sysexit", "tcg_gen_op3", "tcg_gen_qemu_ld_i32", "tcg_gen_qemu_ld_i64",
    "tcg_gen_qemu_st_i32", "tcg_gen_qemu_st_i64", "tcg_gen_atomic_cmpxchg_i64",
    *(f"tcg_gen_atomic_{operation}_i64" for operation in (
        "xchg", "add_fetch", "and_fetch", "or_fetch", "xor_fetch", "fetch_add", "fetch_and", "fetch_or", "fetch_xor"
    )),
    "helper_lookup_tb_ptr", "helper_svm_check_intercept_param", "helper_set_dr", "helper_get_dr",
    "raise_exception_err", "raise_exception_err_ra", "cpu_abort",
]
WRAPPED_ARM = [
    "helper_exception_with_syndrome", "helper_exception_bkpt_insn", "helper_access_check_cp_reg",
    "helper_msr_banked", "helper_mrs_banked", "helper_get_r13_banked", "helper_wfi", "helper_wfe", "helper_yield",
    "raise_exception_ra", "get_arm_cp_reginfo", "helper_get_cp_reg", "helper_get_cp_reg64", "helper_set_cp_reg",
    "helper_set_cp_reg64", "helper_exception_return", "cpu_ldl_code",
    "tcg_gen_qemu_ld_i32", "tcg_gen_qemu_ld_i64", "tcg_gen_qemu_st_i32", "tcg_gen_qemu_st_i64",
]


def targets() -> list[tuple[str, str, list[str]]]:
    """Of each architecture whose folder is there: the folder's name, libunicorn's target, what it wraps of its own."""
    every = (("x86", "x86_64", WRAPPED_X86), ("arm", "aarch64", WRAPPED_ARM))
    return [entry for entry in every if (NATIVE / "engine" / entry[0] / "target.c").exists()]


def defines() -> list[str]:
    """XENLAB_X86, XENLAB_ARM: which architectures there are."""
    return [f"-DXENLAB_{folder.upper()}" for folder, _, _ in targets()]


def wraps() -> list[str]:
    """Linker flags for the functions that the engine stands in for."""
    return [f"-Wl,--wrap={name}_{target}" for _, target, own in targets() for name in COMMON + own]


CFLAGS = [
    "-std=c11",
    "-O2",
    "-g1",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wno-sign-conversion",
    "-Werror",
    "-fvisibility=hidden",
    "-D_GNU_SOURCE",
    "-DXENLAB_HOST",
]


SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]


def sanitizers() -> list[str]:
    """With XENLAB_SANITIZE set (make asan): AddressSanitizer and UndefinedBehaviorSanitizer."""
    return SANITIZE if os.environ.get("XENLAB_SANITIZE") else []


def unicorn_folder() -> Path:
    """Folder of the installed unicorn wheel (it carries libunicorn.a and the public headers)."""
    spec = find_spec("unicorn")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("build: the unicorn wheel is not installed; remedy: pip install unicorn==2.1.4")
    return Path(spec.submodule_search_locations[0])


def sources() -> list[Path]:
    """Every C file of the engine and of the hypervisor's C side, in a fixed order; none of an architecture without an
    engine."""
    found = sorted((NATIVE / "engine").rglob("*.c")) + sorted((NATIVE / "xen").rglob("*.c"))
    apart = ("internals", "target")  # compiled by `make internals`; included by each architecture's target.c
    missing = [NATIVE / "xen" / name for name in ("x86", "arm") if name not in [folder for folder, _, _ in targets()]]
    return [
        path
        for path in found
        if path.parent.name not in apart
        and not path.name.endswith("_gen.c")
        and not any(folder in path.parents for folder in missing)
    ]


def declarations() -> str:
    """The cdef text: xen/xen.h preprocessed, without directives."""
    text = subprocess.run(
        ["gcc", "-E", "-P", "-DXENLAB_CFFI", *defines(), str(NATIVE / "xen" / "xen.h")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    constants = "\n".join(
        f"#define {name} ..."
        for name in re.findall(r"^#define (PGC_\w+)", (NATIVE / "xen" / "state.h").read_text(), re.M)
    )
    return text + "\n" + constants


def make_builder() -> FFI:
    """The cffi builder for `hv._native`."""
    builder = FFI()
    builder.cdef(declarations())
    unicorn = unicorn_folder()
    # libunicorn's internal helpers pass their return address along: identical code folding or LTO must stay off.
    builder.set_source(
        "hv._native",
        '#include <stdbool.h>\n#include <stdint.h>\n#include "xen/xen.h"\n',
        # Relative: setuptools wants paths below the project.
        sources=[str(path.relative_to(ROOT)) for path in sources()],
        depends=[str(path.relative_to(ROOT)) for path in NATIVE.rglob("*.[hd]*")],
        include_dirs=[str(NATIVE), str(unicorn / "include")],
        extra_compile_args=[*CFLAGS, *defines(), "-Wno-unused-parameter", *sanitizers()],
        extra_objects=[str(unicorn / "lib" / "libunicorn.a")],
        extra_link_args=[
            *sanitizers(),
            *wraps(),
            "-Wl,--gc-sections",
            "-Wl,-O1",
            "-Wl,--exclude-libs,ALL",
            "-lm",
            "-lpthread",
            "-lrt",
        ],
        py_limited_api=True,
    )
    return builder


if __name__ == "__main__":
    os.chdir(ROOT)
    subprocess.run([sys.executable, str(NATIVE / "abi" / "gen.py")], check=True)
    sys.path.insert(0, str(ROOT))
    make_builder().compile(tmpdir=str(ROOT), verbose="-v" in sys.argv)
else:
    ffibuilder = make_builder()
