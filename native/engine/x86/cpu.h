/* cpu.h - one cpu and its libunicorn instance. Private to the engine. */
#ifndef XENLAB_CPU_H
#define XENLAB_CPU_H
#include "../machine.h"
#include "../unicorn_internals.h"

struct uc_struct;

struct cpu {
    struct machine *m;
    const struct engine_ops *ops; /* the machine's, or its own */
    bool has_devices;             /* the device window is mapped (io.c) */
    bool run_alone;               /* the first instruction of the next run */
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
    bool end_block;               /* the instruction that was just translated changes what translation depends on */
    char tables_before[48];       /* GDTR and IDTR as libunicorn has them, in front of LGDT or LIDT */
    int int_bytes;                /* length of the instruction whose software interrupt is on its way */
    struct uc_struct *uc;
    char *cs;                     /* libunicorn's CPUState */
    char *env;                    /* libunicorn's CPUX86State */
    int index;
    bool running;                 /* inside cpu_exec: flags are in lazy form */
    bool leaving;                 /* an exit record is ready */
    bool kicked;
    int64_t budget;
    /* Inside a callback: the block that is running and has been charged in full. NULL: nothing of it is to be given back. */
    const char *block;
    bool settled;                 /* the exception on its way has been accounted for */
    uintptr_t block_ra;           /* cpu_block_at()'s last question and answer */
    const char *block_at_ra;
    /* a data breakpoint on its way (debug.c) */
    bool watching;                /* its instruction is executed again, alone */
    uint32_t watch_hits;          /* DR6 bits */
    int64_t held;                 /* held back of the budget until the instruction is done */
    struct touch touches[ENGINE_WATCHPOINTS];     /* of a debugger's watchpoints, likewise, in the order of first accesses */
    uint32_t touch_count;
    bool stop_asked;              /* leave with EXIT_BREAKPOINT once the guest's own #DB has been delivered */
    int64_t trap_at;              /* instructions retired in this run when the last exception came; -1: none came */
    uint64_t epoch;               /* machine.tlb_epoch that the cached translations belong to */
    struct cpu_exit exit;
    /* the translation that is being made */
    void *charge_op;              /* the operation whose operand becomes the block's instruction count */
    void *overdrawn;              /* label of the code that a block runs into when the budget does not reach */
    bool block_open;              /* the next exit check begins a block */
    void (*translate_insn)(void *context, void *cs);
    const char *translating;      /* its block */
    /* what the last restore of state found */
    char *restored_block;
    uint64_t restored_pc;
};

/* What the manuals number: exceptions, bits of registers, of descriptors as segment caches have them. */
enum {
    VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_UD = 6, VECTOR_DF = 8, VECTOR_TS = 10, VECTOR_NP = 11, VECTOR_SS = 12, VECTOR_GP = 13,
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

/* A field of libunicorn's state, by offset. */
#define FIELD(type, object, offset) (*(type *)((object) + (offset)))
#define ENV(type, offset) FIELD(type, c->env, offset)
#define CS(type, offset) FIELD(type, c->cs, offset)
/* Instructions left of the budget. A block charges itself in full when it starts; generated code does that. */
#define LEFT ENV(int64_t, U_ENV_TO_LEFT)

static inline struct cpu *cpu_of_cs(char *cs) { return FIELD(struct cpu *, cs, U_CS_OPAQUE); }
static inline struct cpu *cpu_of_env(char *env) { return cpu_of_cs(env - U_CS_TO_ENV); }

/* In a function that generated code calls: where that goes on. */
#define RETURN_ADDRESS ((uintptr_t)__builtin_return_address(0))

/* libunicorn's own functions */
typedef struct uc_struct uc_struct;
extern int cpu_exec_x86_64(uc_struct *uc, void *cs);
extern void cpu_loop_exit_x86_64(void *cs) __attribute__((noreturn));
extern void cpu_loop_exit_restore_x86_64(void *cs, uintptr_t ra) __attribute__((noreturn));
extern void raise_exception_err_ra_x86_64(void *env, int vector, int error, uintptr_t ra) __attribute__((noreturn));
extern void tlb_flush_x86_64(void *cs);
extern void tlb_flush_page_x86_64(void *cs, uint64_t va);
extern void tlb_set_page_x86_64(void *cs, uint64_t va, uint64_t pa, int prot, int mmu, uint64_t size);
extern void tb_flush_x86_64(void *cs);
extern void tb_invalidate_phys_range_x86_64(uc_struct *uc, uint64_t start, uint64_t end);
extern uint32_t cpu_cc_compute_all_x86_64(void *env, int op);
extern void cpu_x86_update_cr0_x86_64(void *env, uint32_t value);
extern void cpu_x86_update_cr3_x86_64(void *env, uint64_t value);
extern void cpu_x86_update_cr4_x86_64(void *env, uint32_t value);
extern void cpu_x86_update_dr7_x86_64(void *env, uint32_t value);
extern void x86_cpu_do_interrupt_x86_64(void *cs);
extern void do_interrupt_x86_hardirq_x86_64(void *env, int vector, int hardware);
extern uint32_t cpu_ldl_mmuidx_ra_x86_64(void *env, uint64_t va, int mmu, uintptr_t ra);
extern uint64_t cpu_ldq_mmuidx_ra_x86_64(void *env, uint64_t va, int mmu, uintptr_t ra);
extern uint8_t cpu_ldub_code_x86_64(void *env, uint64_t pc);
extern uint32_t cpu_lduw_code_x86_64(void *env, uint64_t pc);
typedef struct TCGTemp TCGTemp;
extern TCGTemp *tcg_temp_new_internal_x86_64(void *ctx, int type, bool local);
extern void tcg_temp_free_internal_x86_64(void *ctx, TCGTemp *temp);
extern void __real_tcg_gen_callN_x86_64(void *ctx, void *function, TCGTemp *ret, int n, TCGTemp **args);
extern void update_mxcsr_status_x86_64(void *env);
extern void update_fp_status_x86_64(void *env);

/* ---- count.c ---- */
/* The cpu that a translator's context belongs to. */
struct cpu *cpu_of_context(void *ctx);
/* The temporary that leads to a cpu's state: the first one of every context. */
static inline TCGTemp *cpu_env_temp(void *ctx) { return (TCGTemp *)((char *)ctx + U_TCG_TEMPS); }
/* A new temporary that holds `value`. `type`: U_TCG_T_I32, U_TCG_T_I64. */
TCGTemp *cpu_constant(void *ctx, int type, uint64_t value);
/* The registers become those of the instruction at `ra`; `will_exit`: generated code is left for good. */
bool __wrap_cpu_restore_state_x86_64(char *cs, uintptr_t ra, bool will_exit);
/* Of c->block, how many instructions from `pc` on have not retired. */
int64_t cpu_unretired(const struct cpu *c, uint64_t pc);
/* The block whose code holds host address `ra`, NULL: none. */
const char *cpu_block_at(struct cpu *c, uintptr_t ra);

/* Give back what the running block has not retired; the instruction at rip + `length` is the next one to run. */
void cpu_settle(struct cpu *c, uintptr_t ra, int length);

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
/* Does the block end behind the instruction that was just translated? */
bool cpu_ends_block(const struct cpu *c);

/* ---- string.c ---- */
/* If the instruction at `pc`, which is about to be translated, is a REP MOVS or REP STOS of which many iterations may be made
 * at once: a hook in front of it. */
void cpu_string_before(struct cpu *c, void *ctx, uint64_t pc);
/* Make iterations of it, at least one less than there are. `form`: what cpu_string_before() emitted. */
void cpu_string_run(struct cpu *c, uint64_t form);

/* ---- debug.c ---- */
/* At the start of a block of `count` instructions that found no budget, while a data breakpoint holds it back: gives it
 * back. Returns only when it really does not suffice; else the block runs, or the breakpoint's #DB is raised. */
void cpu_watch_next(struct cpu *c, int64_t count);
/* The instruction did not complete: its data breakpoint comes again. */
void cpu_watch_forget(struct cpu *c);
/* DR7, or an address in DR0-3, has changed: accesses are to be looked up on other pages. */
void cpu_watch_changed(struct cpu *c, uint64_t old_dr7);

/* ---- io.c ---- */
/* As large as the guest-physical space: a walk gives no frame that is not in it. */
#define DEVICE_WINDOW (UINT64_C(1) << 50)             /* physical address, to libunicorn, of MAP_DEVICE frame 0 */
int cpu_map_device_window(struct cpu *c);
/* Execute the instruction at `ra` again, alone. */
void cpu_again_alone(struct cpu *c, uintptr_t ra) __attribute__((noreturn));
/* Inside a call from generated code: does nothing follow the instruction in its block? */
bool cpu_is_alone(struct cpu *c, uintptr_t ra);

/* Is it a prefix that may stand before an opcode? */
bool cpu_is_prefix(uint8_t byte, bool long_mode);

/* ---- tasks.c ---- */
/* Before and behind what may load CS, SS or TR. `ra`: inside generated code, where that goes on; else 0. The end may raise #DB. */
void cpu_transfer_begin(struct cpu *c, uintptr_t ra);
void cpu_transfer_end(struct cpu *c);
/* The address in generated code for `ra`, at which libunicorn thinks that one of its helpers will return. */
uintptr_t cpu_helper_ra(struct cpu *c, uintptr_t ra);

/* ---- native.c ---- */
typedef bool exec_interrupt_fn(void *cs, int request);
exec_interrupt_fn native_exec_interrupt;
/* An exception has come: if it did so while another event was delivered, undo and correct what that entails. */
void native_interrupted(struct cpu *c, uint32_t vector);
/* SYSCALL, of `length` bytes, and SYSENTER, the next instruction of a cpu whose ring 0 is the guest's. */
void native_syscall(struct cpu *c, int length);
void native_sysenter(struct cpu *c);

/* ---- tables.c ---- */
/* A store of `size` bytes (0: not known) is about to go to `frame`, which is FRAME_TABLE, through address `va`. Drops what
 * was read from there; need not return. true: the next store must come here too. */
bool tables_store(struct cpu *c, uint64_t va, uint64_t frame, int size, uintptr_t ra);

/* ---- tlb.c ---- */
typedef bool tlb_fill_fn(void *cs, uint64_t va, int size, int access, int mmu, bool probe, uintptr_t ra);
tlb_fill_fn engine_tlb_fill;
/* Drop the cached translations of linear addresses [from, to), which have 48 bits. */
void cpu_drop_range(struct cpu *c, uint64_t from, uint64_t to);
/* Flush when the machine's translations went stale. */
void cpu_tlb_sync(struct cpu *c);

/* ---- state.c ---- */
/* CR4 has a new value. */
void cpu_umip_changed(struct cpu *c);

/* ---- cpu.c ---- */
/* Leave cpu_exec from a helper that generated code called; the exit record is filled in. */
void cpu_leave_helper(struct cpu *c) __attribute__((noreturn));

#endif
