/* cpu.h - an x86 cpu and its libunicorn instance. Private to the engine. */
#ifndef XENLAB_X86_CPU_H
#define XENLAB_X86_CPU_H
#define T(name) name##_x86_64
#define DEVICE_WINDOW_BIT 50      /* of 52 that a physical address has */
#define target_kind x86_kind
#include "unicorn_internals.h"
#include "../target/target.h"

struct x86_cpu {
    struct cpu c;
    /* an event is being delivered that is no software interrupt: a fault on the way has the EXT bit, and finds RF as it was */
    bool delivering;
    uint64_t rf_before;
    /* a far transfer or a delivery is under way (tasks.c): the TR that it began with; where generated code goes on */
    bool transfer;
    uint32_t transfer_task;
    uintptr_t helper_ra;
    /* in front of an SSE instruction that may raise #XM */
    struct float_undo { struct x86_gprs gprs; uint64_t flags[4]; uint8_t xmm[16][16]; } float_undo;
    uint32_t check_segments;      /* of the block that is being translated: bit n, accesses through segment n */
    bool check_alignment;
    unsigned segment;             /* through which the present instruction's last address goes */
    char tables_before[48];       /* GDTR and IDTR as libunicorn has them, in front of LGDT or LIDT */
    int int_bytes;                /* length of the instruction whose software interrupt is on its way */
};
#define X86(cpu) ((struct x86_cpu *)(cpu))

/* What the manuals number: exceptions, bits of registers, of descriptors as segment caches have them. */
enum {
    VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_UD = 6, VECTOR_DF = 8, VECTOR_TS = 10, VECTOR_NP = 11, VECTOR_SS = 12, VECTOR_GP = 13, VECTOR_PF = 14,
    VECTOR_MF = 16, VECTOR_AC = 17, VECTOR_XM = 19
};
enum { CR0_PE = 1, CR0_NE = 1 << 5, CR0_AM = 1 << 18, CR4_TSD = 1 << 2, CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10, CR4_UMIP = 1 << 11 };
enum { EFER_SCE = 1, EFER_LME = 1 << 8, EFER_LMA = 1 << 10 };
#define RFLAGS_IF UINT64_C(0x200)
#define RFLAGS_RF UINT64_C(0x10000)
#define RFLAGS_VM UINT64_C(0x20000)
#define RFLAGS_AC UINT64_C(0x40000)
enum {
    DESC_TYPE_SHIFT = 8, DESC_TYPES = 0x1f, DESC_W = 1 << 9, DESC_TSS_BUSY = 1 << 9, DESC_EXPAND_DOWN = 1 << 10, DESC_CODE = 1 << 11,
    DESC_S = 1 << 12, DESC_DPL_SHIFT = 13, DESC_PRESENT = 1 << 15, DESC_L = 1 << 21, DESC_BIG = 1 << 22
};
/* libunicorn's hflags and hflags2. A block's flags are hflags, with IOPL, RF, VM and AC where RFLAGS has them. */
enum {
    HF_CPL = 3, HF_INHIBIT_IRQ = 1 << 3, HF_CS32 = 1 << 4, HF_SS32 = 1 << 5, HF_ADDSEG = 1 << 6, HF_PE = 1 << 7, HF_TF = 1 << 8, HF_EM = 1 << 10,
    HF_TS = 1 << 11, HF_LMA = 1 << 14, HF_CS64 = 1 << 15, HF_SMAP = 1 << 23, HF2_NMI = 1 << 2
};
/* Whose rights libunicorn's accessors use: ring 0's under SMAP, or without; U_MMU_USER is the third. */
enum { MMU_KERNEL_SMAP = 0, MMU_KERNEL = 2 };

/* libunicorn's own functions */
extern void raise_exception_err_ra_x86_64(void *env, int vector, int error, uintptr_t ra) __attribute__((noreturn));
extern uint32_t cpu_cc_compute_all_x86_64(void *env, int op);
extern void cpu_x86_update_cr0_x86_64(void *env, uint32_t value);
extern void cpu_x86_update_cr3_x86_64(void *env, uint64_t value);
extern void cpu_x86_update_cr4_x86_64(void *env, uint32_t value);
extern void cpu_x86_update_dr7_x86_64(void *env, uint32_t value);
extern void x86_cpu_do_interrupt_x86_64(void *cs);
extern void do_interrupt_x86_hardirq_x86_64(void *env, int vector, int hardware);
extern uint64_t cpu_ldq_mmuidx_ra_x86_64(void *env, uint64_t va, int mmu, uintptr_t ra);
extern uint8_t cpu_ldub_code_x86_64(void *env, uint64_t pc);
extern uint32_t cpu_lduw_code_x86_64(void *env, uint64_t pc);
extern void update_mxcsr_status_x86_64(void *env);
extern void update_fp_status_x86_64(void *env);

/* ---- hook.c ---- */
/* What generated code asks of us: may `value` bytes be moved through the port in DX? Is what LGDT or LIDT has loaded an address?
 * #GP(0). Iterations of a string instruction that has the form `value` (string.c). Those of float.c. */
enum hook {
    HOOK_NONE, HOOK_PORT, HOOK_TABLES_BEFORE, HOOK_TABLES_AFTER, HOOK_REFUSE, HOOK_STRING,
    HOOK_FETCH, HOOK_MEMORY, HOOK_X87_WAITS, HOOK_SSE_BEFORE, HOOK_SSE_AFTER, HOOK_STATUS_READ, HOOK_X87_LOADED, HOOK_MXCSR_LOADED
};
/* Bits of hflags that libunicorn has no use for: blocks are translated apart by them. Some exception of x87 or SSE is unmasked;
 * CR4.UMIP. */
enum { HF_CHECK_FLOAT = 1 << 28, HF_UMIP = 1 << 29 };
/* DS, ES, SS or CS is not flat; FS; GS (segments.c). */
#define HF_CHECK_SEGMENTS (1u << 27)
#define HF_CHECK_FS       (1u << 30)
#define HF_CHECK_GS       (1u << 31)
void cpu_emit_hook(void *ctx, enum hook hook, uint64_t value);
/* HOOK_MEMORY with an address that is known at run time: `temp`. `access`: the segment, with ACCESS_*. */
enum { ACCESS_IS_WRITE = 8, ACCESS_SIZE_SHIFT = 4, HOOK_BITS = 8 };
void cpu_emit_memory_hook(void *ctx, uint32_t access, void *temp);

/* ---- segments.c ---- */
/* What DS, ES, SS, FS, GS, CS, the mode or the ring is may have changed. */
void cpu_segments_changed(struct cpu *c);
/* A block is about to be translated. */
void cpu_memory_begins(struct cpu *c);
/* Of an instruction outside of 64-bit code, without its prefixes: does it load DS, ES, SS, FS or GS? */
bool cpu_loads_segment(const uint8_t bytes[2]);
/* May `access` (the segment, with ACCESS_*) go to `va`? Else #SS(0), #GP(0) or #AC(0). */
void cpu_memory_hook(struct cpu *c, uint32_t access, uint64_t va, uintptr_t ra);
/* May an instruction at this offset in CS be fetched? Else #GP(0). */
void cpu_fetch_hook(struct cpu *c, uint64_t offset, uintptr_t ra);

/* ---- float.c ---- */
/* Add what was noted to MXCSR, to the status word of x87 (whose summary then follows from its masks). */
void cpu_merge_mxcsr(struct cpu *c);
void cpu_merge_x87(struct cpu *c);
/* The masks of MXCSR or of the control word may have changed; MXCSR as a whole has. */
void cpu_float_changed(struct cpu *c);
void cpu_mxcsr_loaded(struct cpu *c);
/* In front of an instruction whose opcode begins with `bytes`: what cpu_after() is to be told. `check`: HF_CHECK_FLOAT. */
enum hook cpu_float_before(void *ctx, bool check, const uint8_t bytes[3], bool prefixed);
void cpu_float_hook(struct cpu *c, enum hook hook, uintptr_t ra);

/* ---- strict.c ---- */
/* If the instruction about to be translated is one that CPUID hides: make it #UD, and true. */
bool cpu_refuse_hidden(struct cpu *c, void *ctx, char *db);
/* In front of the first instruction of a block that was translated for RF set: breakpoints are for it alone. */
void cpu_resume_once(struct cpu *c, void *ctx, char *db);
/* In front of an instruction, and behind it: what is to be checked there. INS and OUTS where ring or mode may not use every port;
 * LGDT and LIDT of 64 bits. cpu_before() says what cpu_after() is to be told. */
enum hook cpu_before(struct cpu *c, void *ctx, char *db);
void cpu_after(struct cpu *c, void *ctx, enum hook before);

/* ---- string.c ---- */
/* If the instruction at `pc`, which is about to be translated, is a REP MOVS or REP STOS of which many iterations may be made
 * at once: a hook in front of it. */
void cpu_string_before(struct cpu *c, void *ctx, uint64_t pc);
/* Make iterations of it, at least one less than there are. `form`: what cpu_string_before() emitted. */
void cpu_string_run(struct cpu *c, uint64_t form);

/* ---- debug.c ---- */
/* DR7, or an address in DR0-3, has changed: accesses are to be looked up on other pages. */
void cpu_watch_changed(struct cpu *c, uint64_t old_dr7);

/* Is it a prefix that may stand before an opcode? */
bool cpu_is_prefix(uint8_t byte, bool long_mode);

/* ---- tasks.c ---- */
/* Before and behind what may load CS, SS or TR. `ra`: inside generated code, where that goes on; else 0. The end may raise #DB. */
void cpu_transfer_begin(struct cpu *c, uintptr_t ra);
void cpu_transfer_end(struct cpu *c);
/* The address in generated code for `ra`, at which libunicorn thinks that one of its helpers will return. */
uintptr_t cpu_helper_ra(struct cpu *c, uintptr_t ra);

/* ---- native.c ---- */
/* An exception has come: if it did so while another event was delivered, undo and correct what that entails. */
void native_interrupted(struct cpu *c, uint32_t vector);
/* SYSCALL, of `length` bytes, and SYSENTER, the next instruction of a cpu whose ring 0 is the guest's. */
void native_syscall(struct cpu *c, int length);
void native_sysenter(struct cpu *c);

/* ---- state.c ---- */
/* CR4 has a new value. */
void cpu_umip_changed(struct cpu *c);

void x86_save(struct cpu *c, void *out);
void x86_load(struct cpu *c, const void *in);

/* ---- cpu.c: of struct cpu_kind ---- */
int x86_create(struct machine *m, enum cpu_model model, struct cpu **out);
void x86_destroy(struct cpu *c);
int x86_set_ops(struct cpu *c);
uint64_t x86_pc(struct cpu *c);
void x86_set_pc(struct cpu *c, uint64_t pc);

#endif
