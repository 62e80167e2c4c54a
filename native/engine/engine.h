/* engine.h - the CPU engine: cpus and memory, and not one Xen word.
 *
 * A `machine` is one mapping of RAM with an arena behind it; a `cpu` runs guest instructions on that RAM.
 * The layer above registers an `engine_ops` table. Its functions are called in C, with the cpu's registers in
 * sync, and answer on the spot or ask the cpu to leave cpu_run() with an exit record. Native code never calls Python.
 *
 * Time is the number of retired instructions. cpu_run() retires exactly `budget` instructions or fewer, and
 * cpu_retired() is exact inside every callback.
 */
#ifndef XENLAB_ENGINE_H
#define XENLAB_ENGINE_H
#ifndef XENLAB_CFFI
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

struct machine;
struct cpu;

enum { ENGINE_PAGE_SHIFT = 12, ENGINE_PAGE_SIZE = 4096, ENGINE_MAX_CPUS = 256 };
/* Bits of a guest-physical address: what CPUID says, and what a guest's own page tables may name. */
enum { ENGINE_PHYSICAL_BITS = 40 };

/* CPU_ARM32 is a CPU_ARM64 whose EL1 is in AArch32 state, as ARMv7 has it. */
enum cpu_model { CPU_X86_64 = 0, CPU_ARM64, CPU_ARM32 };

/* Why cpu_run() came back. */
enum exit_reason {
    EXIT_BUDGET = 0,      /* the budget is spent: exactly `budget` instructions retired */
    EXIT_KICK,            /* cpu_kick() was called */
    EXIT_IDLE,            /* the cpu waits for an interrupt (hlt, wfi, SCHEDOP_block) */
    EXIT_HYPERCALL,       /* nr and args are filled in; the program counter is behind the instruction */
    EXIT_EXCEPTION,       /* vector, error and address of an exception that C did not deal with */
    EXIT_DECODE,          /* a privileged instruction whose bytes are not in the decode cache yet */
    EXIT_IO,              /* port access */
    EXIT_MMIO,
    EXIT_SYSREG,          /* MSR, CPUID or system register that C does not know */
    EXIT_BREAKPOINT,      /* a stop point of the layer above was met; TRAP_LATE in flags, see below */
    EXIT_SHUTDOWN,        /* triple fault, or the layer above gave the domain up */
    EXIT_FATAL            /* the engine itself failed: a defect of ours, never a guest's */
};

/* An exit record: plain data, copied out of cpu_run(). */
struct cpu_exit {
    uint32_t reason;      /* enum exit_reason */
    uint32_t vector;      /* exception vector, or port number */
    uint32_t error;       /* error code, or access size */
    uint32_t flags;       /* TRAP_* below */
    uint64_t address;     /* faulting address, port data, MSR number */
    uint64_t nr;          /* hypercall number */
    uint64_t args[6];     /* hypercall arguments */
    uint64_t aux;         /* for the layer above */
};

enum {
    TRAP_HAS_ERROR = 1,   /* `error` was pushed by the architecture */
    TRAP_SOFTWARE = 2,    /* int n, int3, into: the program counter is behind the instruction */
    TRAP_UNDECODED = 4,   /* #UD found while translating */
    TRAP_LATE = 8         /* EXIT_BREAKPOINT: something may have happened since the count was reached */
};

/* One exception on its way from the guest to the layer above. */
struct trap {
    uint32_t vector;      /* ARM: the class, ESR.EC */
    uint32_t error;       /* ARM: the syndrome, ESR */
    uint32_t flags;       /* TRAP_* */
    uint32_t pad;
    uint64_t address;     /* CR2 for #PF; ARM: FAR for aborts */
};

enum access { ACCESS_READ = 0, ACCESS_WRITE = 1, ACCESS_FETCH = 2 };

enum { MAP_READ = 1, MAP_WRITE = 2, MAP_EXEC = 4, MAP_DEVICE = 8 };

/* Result of one address translation of one 4 KiB page. */
struct mapping {
    uint64_t frame;       /* physical frame number; MAP_DEVICE: no memory, but whatever ops.io makes of this number */
    uint32_t prot;        /* MAP_* that the translation allows */
    uint32_t error;       /* when refused: the page-fault error code */
    uint64_t page_bytes;  /* of the guest's page, which INVLPG forgets as a whole; 0: 4 KiB */
};

/* One access to a port, or to an address of MAP_DEVICE. `alone`: nothing follows it in its block of code, so that the
 * count of instructions may be cut, and an interrupt delivered, right behind it. */
struct io_access {
    uint64_t address, value;
    uint32_t size;        /* bytes */
    bool write, port, alone;
};
enum io_answer {
    IO_DONE = 0,          /* `value` is filled in, or was taken */
    IO_FAULT,             /* #GP(0); ARM: an external abort, of a system register: undefined */
    IO_LEAVE,             /* leave cpu_run() with the exit record; the instruction is executed again when it goes on */
    IO_ALONE,             /* nothing was done: execute the instruction again, alone */
    IO_ENGINE,            /* of an MSR or system register: the engine holds it */
    IO_TRAP               /* ARM, of a system register: trapped to EL1 (ESR.EC 0x18; AArch32: undefined) */
};

/* General registers as the engine keeps them: this overlays the engine's own state, so writes take effect at once. */
struct x86_gprs {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip;
};

enum x86_segment { SEG_ES = 0, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDT, SEG_TR, SEG_COUNT };

/* A segment register with its hidden part. `attributes` are bits 8..23 of the descriptor's high word, in place
 * (type 8-11, S 12, DPL 13-14, P 15, AVL 20, L 21, D/B 22, G 23). `limit` is in bytes. */
struct x86_segment_state {
    uint32_t selector;
    uint32_t limit;
    uint32_t attributes;
    uint32_t pad;
    uint64_t base;
};

/* The whole architectural state of one x86 cpu in canonical form: what is saved, hashed and restored. */
struct x86_state {
    struct x86_gprs gprs;
    uint64_t rflags;
    struct x86_segment_state segments[8];   /* enum x86_segment */
    uint64_t gdt_base, idt_base;
    uint32_t gdt_limit, idt_limit;
    uint64_t cr0, cr2, cr3, cr4, cr8, xcr0;
    uint64_t dr[8];
    uint64_t efer, star, lstar, cstar, fmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip, pat, tsc_aux;
    uint8_t x87[128];                       /* st0..st7, 16 bytes each, as FXSAVE lays them out */
    uint16_t fcw, fsw, fop;
    uint8_t ftw, pad0;                      /* abridged tag word */
    uint32_t mxcsr;
    uint64_t fip, fdp;
    uint8_t xmm[256];
    uint32_t interrupt_shadow;              /* sti / mov ss */
    uint32_t halted;
    int32_t pending_exception;              /* engine's exception in flight; -1: none */
    uint32_t nmi_blocked;                   /* until IRET */
};

/* The whole architectural state of one ARM cpu in canonical form. In AArch32 state x[0..14] are r0..r14 of the present mode,
 * `pstate` is the CPSR, `pc` is r15 without its lowest bit. */
struct arm_state {
    uint64_t x[31], sp_el0, sp_el1, pc, pstate, elr_el1, spsr_el1;
    uint64_t sctlr, actlr, cpacr, ttbr0, ttbr1, tcr, mair, amair, vbar, esr, far, afsr0, afsr1, par, contextidr;
    uint64_t tpidr_el0, tpidrro_el0, tpidr_el1, csselr, cntkctl, mdscr;
    uint64_t v[64];                         /* V0..V31, low half first; AArch32: Q0..Q15 in the first half of them */
    uint64_t exclusive_addr, exclusive_val, exclusive_high;      /* of the exclusive monitor; address ~0: open */
    /* AArch32's banks, other than the present mode's where that is among them: usr, svc, abt, und, irq, fiq */
    uint64_t banked_spsr[6];
    uint32_t banked_r13[6], banked_r14[6], usr_r8_r12[5], fiq_r8_r12[5];
    uint32_t dacr, ifsr, fpexc, fcseidr, ifar, pad;
    uint32_t fpcr, fpsr;
    uint32_t halted, lines;                 /* lines: bit 0 IRQ, bit 1 FIQ, as cpu_set_lines() left them */
};
/* Banks of struct arm_state. */
enum arm_bank { ARM_BANK_USR, ARM_BANK_SVC, ARM_BANK_ABT, ARM_BANK_UND, ARM_BANK_IRQ, ARM_BANK_FIQ, ARM_BANKS };

/* A system register as MRS and MSR name it. AArch32: what MRC and MCR (coproc 15, 14) name, where AArch64 has no register that
 * it is mapped to: op0 is 0, and the rest is coproc, opc1, CRn, CRm, opc2; `wide`: MRRC and MCRR. */
struct arm_sysreg {
    uint8_t op0, op1, crn, crm, op2, coproc;
    bool wide;
    uint8_t el;                             /* of the access: 0 or 1 */
};

/* Bytes that a debugger watches, by linear address in whichever page table. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
struct watchpoint { uint64_t va, bytes; uint32_t kinds, id; };    /* kinds: WATCH_* */
/* Accesses of the instruction at `pc` to bytes of watchpoint `id`. `va`, `size`: of the first; `kinds`: of all. */
struct touch { uint64_t pc, va, size; uint32_t kinds, id; };

/* An external abort as registers report it: ISS of ESR_EL1, and AArch32's DFSR or IFSR with long and with short descriptors. */
struct arm_abort_report { uint32_t iss, fsr_long, fsr_short; };

#ifndef XENLAB_CFFI
/* What the layer above answers. `ctx` is engine_ops.ctx. Each returns true for "go on" and false for "leave
 * cpu_run() with cpu_exit_record(cpu)". */
struct engine_ops {
    void *ctx;
    /* The cpu is a whole one: exceptions and interrupts go through the guest's own IDT, SYSCALL and its kin do what the
     * manual says, ring 0 is the guest's. Else ring 0 is the layer above, and the last five functions are not called. */
    bool native;                                       /* ARM: not looked at */
    /* x86: answer it, or cpu_deliver() it. ARM: true, it is taken at EL1. */
    bool (*exception)(void *ctx, struct cpu *cpu, const struct trap *trap);
    bool (*syscall)(void *ctx, struct cpu *cpu);       /* rip is already behind the instruction */
    bool (*sysenter)(void *ctx, struct cpu *cpu);
    /* Fill *map for the page of `va`; false: raise #PF with map->error. User-mode access when `user`. */
    bool (*translate)(void *ctx, struct cpu *cpu, uint64_t va, enum access access, bool user, struct mapping *map);
    void (*cpuid)(void *ctx, struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    uint64_t (*tsc)(void *ctx, struct cpu *cpu);
    /* IN, OUT, or an access to a page of MAP_DEVICE. IO_FAULT comes back through `exception`. */
    enum io_answer (*io)(void *ctx, struct cpu *cpu, struct io_access *access);
    /* The instruction at `pc`, one of machine_set_breakpoints(), is next. true: leave with EXIT_BREAKPOINT before it. */
    bool (*breakpoint)(void *ctx, struct cpu *cpu, uint64_t pc);
    /* An instruction that touched bytes of `count` of machine_set_watchpoints() has just retired. true: leave behind it. */
    bool (*watched)(void *ctx, struct cpu *cpu, const struct touch *touches, uint32_t count);
    /* RDMSR, WRMSR. `alone` as in io_access. */
    enum io_answer (*msr)(void *ctx, struct cpu *cpu, uint32_t number, bool write, uint64_t *value, bool alone);
    /* CR0, CR3, CR4 or CR8 is to be written: may it, or #GP(0)? CR8 is the layer's own; `*value` may be changed. */
    bool (*write_cr)(void *ctx, struct cpu *cpu, int n, uint64_t *value);
    uint64_t (*read_cr8)(void *ctx, struct cpu *cpu);
    /* cpu_set_attention() was called: which vector is the cpu to take now? -1: none. `can`: TAKE_*, what it could. */
    int (*interrupt)(void *ctx, struct cpu *cpu, uint32_t can);
    /* HLT, rip behind it. true: go on, an interrupt is there; false: leave. */
    bool (*halt)(void *ctx, struct cpu *cpu);
    /* ---- of ARM cpus only; these, `exception`, `io`, `breakpoint`, `watched` and `halt` are all that they call ---- */
    /* HVC and SMC, the program counter behind the instruction. true: go on. */
    bool (*hvc)(void *ctx, struct cpu *cpu, uint32_t immediate);
    bool (*smc)(void *ctx, struct cpu *cpu, uint32_t immediate);
    /* A system register that the engine does not hold itself: timers, interrupt controller, identification (IO_ENGINE: the
     * engine's own answer to that). `alone` as in io_access. IO_FAULT: undefined. */
    enum io_answer (*sysreg)(void *ctx, struct cpu *cpu, const struct arm_sysreg *reg, bool write, uint64_t *value, bool alone);
    /* Fill *map for the 4 KiB page of guest-physical address `ipa`: stage 2 of the translation. false: nothing is there, an
     * external abort; so is a write to what has no MAP_WRITE, and a fetch from MAP_DEVICE. */
    bool (*stage2)(void *ctx, struct cpu *cpu, uint64_t ipa, enum access access, struct mapping *map);
    /* What the guest is told of such an abort, and of one in the walk of its tables. NULL: what the architecture says, with the
     * level of a walk and whether it was a write. */
    const struct arm_abort_report *abort_report;
    /* Of the machine's own table; may be NULL. Entries in `bytes` bytes from `offset` on of a frame that machine_note_table()
     * named are about to change: what the layer above has kept of them is of no use any more. */
    void (*table_changed)(void *ctx, uint64_t frame, uint32_t offset, uint32_t bytes);
};
enum { TAKE_INTERRUPT = 1, TAKE_NMI = 2 };

/* Have the cpu answer these calls from another table than its machine's; the table must outlive it. 0 or -ENOMEM */
int cpu_set_ops(struct cpu *cpu, const struct engine_ops *ops);
/* In ops.exception of a native cpu: deliver the exception through the guest's IDT. Need not return: a fault on the way
 * comes as an exception of its own. */
void cpu_deliver(struct cpu *cpu, const struct trap *trap);
/* Raise an exception at the instruction at rip, from inside ops.exception: it comes as an exception of its own. */
void cpu_raise(struct cpu *cpu, uint32_t vector, uint32_t error) __attribute__((noreturn));
/* Whether ops.interrupt is to be asked as soon as the cpu could take something. */
void cpu_set_attention(struct cpu *cpu, bool wanted);
/* The next instruction is to be executed alone: it is one that ops.io sent away with IO_LEAVE. Before cpu_run(). */
void cpu_run_alone(struct cpu *cpu);

/* In ops.exception, which will return true: the next instruction is to be executed alone. */
void cpu_next_alone(struct cpu *cpu);
struct cpu_exit *cpu_exit_record(struct cpu *cpu);
/* The instruction that has just been counted as retired is undone by the layer above. Inside callbacks. */
void cpu_unretire(struct cpu *cpu);
/* Has nothing but instructions retiring happened in this run since the present count was reached? Inside callbacks. */
bool cpu_undisturbed(const struct cpu *cpu);
/* Fill in the exit record of a stop point: the registers and the count are those of the next instruction. */
void cpu_leave_at_breakpoint(struct cpu *cpu);
void machine_set_ops(struct machine *m, const struct engine_ops *ops);
#endif

/* ---- machine ---- */
/* Create a machine of `frames` 4 KiB frames with `arena_bytes` of arena behind them. 0, or -ENOMEM / -ENOSYS
 * (the linked libunicorn is not the one that the offsets were taken from). */
int machine_create(struct machine **out, uint64_t frames, uint64_t arena_bytes);
void machine_destroy(struct machine *m);
uint64_t machine_frames(const struct machine *m);
void *machine_arena(const struct machine *m);
uint64_t machine_arena_bytes(const struct machine *m);
/* Host address of a frame, NULL when out of range. For reading, and for writing only between
 * machine_write_begin() (marks dirty, drops translated code of the frame) and the next cpu_run(). */
void *machine_frame(const struct machine *m, uint64_t frame);
void machine_write_begin(struct machine *m, uint64_t frame);
/* Checked access by physical address; 0 or -EFAULT. */
int machine_read(const struct machine *m, uint64_t pa, void *out, uint64_t len);
int machine_write(struct machine *m, uint64_t pa, const void *data, uint64_t len);
/* Every cached translation of every cpu is stale: flushed before the next guest instruction of each. */
void machine_tlb_stale(struct machine *m);
/* Drop all translated code (tests: results must not change). */
void machine_flush_code(struct machine *m);
/* At most this many instructions a translated block; 0: the engine's own limit (tests: results must not change). */
void machine_set_block_limit(struct machine *m, uint32_t limit);
/* Count by a hook on every instruction as well, from now on, in every cpu that there is (tests: the counts must be equal).
 * 0 or -ENOMEM. */
int machine_count_by_hook(struct machine *m);
int64_t machine_hooked(const struct machine *m);
/* Which code runs, from now on: every block of it once, by linear address. -ENOMEM. stop() forgets. */
struct code_block { uint64_t start; uint32_t size, pad; };
int machine_coverage_start(struct machine *m);
void machine_coverage_stop(struct machine *m);
/* The blocks so far, in no order, at most `max`; how many there are, and how many did not fit into the table. */
uint64_t machine_coverage(const struct machine *m, struct code_block *out, uint64_t max, uint64_t *dropped);

/* ---- stop points: they change nothing that a guest could see, not even the count ---- */
enum { ENGINE_BREAKPOINTS = 256, ENGINE_WATCHPOINTS = 32 };
/* Call ops.breakpoint before the instructions at these linear addresses, in whichever page table, and at no others. Code
 * that was translated with a breakpoint keeps its call, so that setting the same ones again costs nothing. Between runs.
 * 0 or -EINVAL (too many) */
int machine_set_breakpoints(struct machine *m, const uint64_t *addresses, uint32_t count);
/* The same for accesses to data and ops.watched. */
int machine_set_watchpoints(struct machine *m, const struct watchpoint *points, uint32_t count);

/* ---- images: memory at one moment (image.c) ---- */
struct image;
/* A part of the arena that is in use. */
struct arena_span { uint64_t offset, bytes; };
/* Save RAM and the parts of the arena that `spans` names. Costs what was written since the last save or load; pages that
 * images have in common are kept once. 0 or -ENOMEM. The caller releases the image. */
int machine_save(struct machine *m, const struct arena_span *spans, uint32_t count, struct image **out);
/* Make memory what it was. `spans`: what of the arena is in use now. 0, or -EINVAL for an image of another size of
 * machine. Registers are not memory: whoever saves them restores them. */
int machine_load(struct machine *m, struct image *image, const struct arena_span *spans, uint32_t count);
/* Is there nothing but zeros in a frame (which exists)? Frames that nobody has written to are not touched for it. */
bool machine_frame_is_zero(const struct machine *m, uint64_t frame);
void image_release(struct image *image);
/* An image of zeros, to be filled by image_set() before anything shares it. 0 or -ENOMEM */
int image_create(struct image **out, uint64_t frames, uint64_t arena_bytes);
/* Another image with the same pages, which image_set() may then change. NULL: no memory. */
struct image *image_copy(const struct image *from);
/* Pages by number: RAM's frames, then the arena's. image_set(): 0, -EINVAL (no such page), -ENOMEM. */
uint64_t image_units(const struct image *image);
int image_set(struct image *image, uint64_t unit, const void *bytes);
/* The first page from *unit on that is not all zeros, and its number; NULL: none. */
const void *image_next(const struct image *image, uint64_t *unit);
/* The first page from *unit on that `image` does not share with `since`, an image of the same size, and its number; NULL:
 * none. Pages of equal contents that were written apart count as changed. */
const void *image_next_change(const struct image *image, const struct image *since, uint64_t *unit);
/* Bytes of pages that this image and all that share pages with it hold. */
uint64_t image_held(const struct image *image);

/* ---- cpu ---- */
int cpu_create(struct machine *m, enum cpu_model model, struct cpu **out);
void cpu_destroy(struct cpu *cpu);
int cpu_index(const struct cpu *cpu);
/* Run until an exit. Retires at most `budget` instructions (>= 0). Returns the reason; *exit is filled in. */
int cpu_run(struct cpu *cpu, int64_t budget, struct cpu_exit *exit);
/* Ask a running cpu to leave with EXIT_KICK at the next block start. Safe from another thread. */
void cpu_kick(struct cpu *cpu);
/* Instructions retired since cpu_run() began (exact inside callbacks), or by the last run. */
int64_t cpu_retired(const struct cpu *cpu);
/* Count the instruction that the layer above has just executed itself (an emulated one) as retired. Inside callbacks. */
void cpu_retire(struct cpu *cpu);
/* Shorten the current run (from inside a callback): leave with EXIT_BUDGET once `budget` have retired since it began. */
void cpu_set_budget(struct cpu *cpu, int64_t budget);
/* The same, unless the run ends before that anyway. */
void cpu_shorten(struct cpu *cpu, int64_t budget);

/* The next instruction's address, as the guest sees it. */
uint64_t cpu_pc(struct cpu *cpu);
void cpu_set_pc(struct cpu *cpu, uint64_t pc);
/* Everything that a run can change in a cpu: struct x86_state or struct arm_state, as plain bytes. */
size_t cpu_state_bytes(enum cpu_model model);
void cpu_save(struct cpu *cpu, void *out);
void cpu_load(struct cpu *cpu, const void *in);
void cpu_tlb_flush(struct cpu *cpu);

/* ---- ARM registers ---- */
#ifdef XENLAB_ARM                 /* the architecture's folder is there (native/build.py) */
/* X0..X30, 31: the present SP. AArch32: R0..R14 of the present mode. Others read 0 and are not written. */
uint64_t arm_reg(struct cpu *cpu, int n);
void arm_set_reg(struct cpu *cpu, int n, uint64_t value);
/* PSTATE as SPSR_EL1 would hold it, or the CPSR. */
uint64_t arm_pstate(struct cpu *cpu);
void arm_unmask_irq(struct cpu *cpu);          /* PSTATE.I is cleared */
void arm_get_state(struct cpu *cpu, struct arm_state *out);
void arm_set_state(struct cpu *cpu, const struct arm_state *in);
/* The answer of ops.hvc or ops.smc where there is no such call: the guest takes the exception of an undefined instruction, there. */
bool arm_undefined_call(struct cpu *cpu);
uint64_t arm_cntkctl(struct cpu *cpu);         /* which registers of the timer EL0 may use */
/* Levels of the interrupt inputs. One that is up is taken as soon as PSTATE lets it. */
void cpu_set_lines(struct cpu *cpu, bool irq, bool fiq);
/* What the guest's own tables (or none, while its MMU is off) make of an address: *ipa, its guest-physical address, and what
 * the page allows; no access flag is needed. false: nothing. For debuggers and for copies on the guest's behalf. */
bool arm_translate(struct cpu *cpu, uint64_t va, enum access access, bool user, uint64_t *ipa, uint32_t *prot);
/* The entries that a read by EL1 goes through, from the first table on: where each is for the guest (its guest-physical address), what it
 * says, its bytes (4: the short format), and log2 of what one such entry maps. How many; none while the MMU is off. *status: the
 * fault that the read meets, as the long format's status codes say it, with the level in two bits; or ARM_NO_FAULT. */
enum { ARM_WALK_LEVELS = 4, ARM_NO_FAULT = 0xff };
struct arm_entry { uint64_t ipa, value; uint32_t bytes, shift; };
unsigned arm_walked(struct cpu *cpu, uint64_t va, struct arm_entry entries[ARM_WALK_LEVELS], uint32_t *status);
/* The first address from *va on that EL1 may read: *va, its *ipa, how many *bytes that one entry maps from there on, and what it
 * allows. Without an MMU all addresses are their own, in one piece. *walks: how many may still be made, of tables that lead in
 * circles. false: there is none, or not in so many. */
bool arm_next_mapped(struct cpu *cpu, uint64_t *va, uint64_t *ipa, uint64_t *bytes, uint32_t *prot, uint32_t *walks);
#endif

/* ---- x86 registers ---- */
#ifdef XENLAB_X86
struct x86_gprs *cpu_gprs(struct cpu *cpu);
uint64_t cpu_rflags(struct cpu *cpu);
void cpu_set_rflags(struct cpu *cpu, uint64_t rflags);
void cpu_get_segment(struct cpu *cpu, enum x86_segment seg, struct x86_segment_state *out);
/* Load a segment register and everything that hangs on it (CPL from CS, code and stack size). No checks. */
void cpu_set_segment(struct cpu *cpu, enum x86_segment seg, const struct x86_segment_state *in);
uint64_t cpu_segment_base(struct cpu *cpu, enum x86_segment seg);
void cpu_set_segment_base(struct cpu *cpu, enum x86_segment seg, uint64_t base);
void cpu_set_gdt(struct cpu *cpu, uint64_t base, uint32_t limit);
void cpu_set_ldt(struct cpu *cpu, uint64_t base, uint32_t limit);
uint64_t cpu_cr(struct cpu *cpu, int n);              /* 0, 2, 3, 4 */
/* Write a control register. CR3: flushes this cpu's translations. CR0: the mode bits take effect. */
void cpu_set_cr(struct cpu *cpu, int n, uint64_t value);
uint64_t cpu_efer(struct cpu *cpu);
uint64_t cpu_dr(struct cpu *cpu, int n);
void cpu_set_dr(struct cpu *cpu, int n, uint64_t value);   /* DR7 arms the breakpoints */
void cpu_get_state(struct cpu *cpu, struct x86_state *out);
void cpu_set_state(struct cpu *cpu, const struct x86_state *in);

/* ---- x86 page walk: 4 levels, or PAE 3, or 2, chosen by `levels` ---- */
struct x86_walk {
    uint64_t entry[4];        /* entries read, [0] is level 1 */
    uint64_t entry_pa[4];     /* where they were read; 0: not reached */
    int level;                /* level of the leaf, or where the walk ended */
    uint32_t unmarked;        /* bit n: entry[n] has no accessed and dirty bits, or its memory takes none */
};
/* Translate `va` from the table at physical address `root`. Sets accessed and dirty bits when `update`.
 * true and *map, or false and map->error. `walk` may be NULL. */
bool x86_translate(struct machine *m, uint64_t root, int levels, bool nx, uint64_t va, enum access access, bool user,
                   bool write_protect, bool update, struct mapping *map, struct x86_walk *walk);

#ifndef XENLAB_CFFI
/* The same where tables and entries hold addresses of a physical space of the guest's own: map->frame is one of its frames. */
struct x86_paging {
    uint64_t root;
    int levels;
    bool nx, write_protect;
    bool large;               /* 4 MiB pages, of two levels (CR4.PSE) */
    /* Machine frame of a guest's RAM, ~0: there is none; *writable false: its entries get no accessed and dirty bits. */
    uint64_t (*frame_of)(void *ctx, uint64_t frame, bool *writable);
    void *ctx;
};
bool x86_translate_guest(struct machine *m, const struct x86_paging *paging, uint64_t va, enum access access, bool user,
                         bool update, struct mapping *map, struct x86_walk *walk);
/* machine_note_table() for all tables that a walk that succeeded went through. */
void x86_note_tables(struct machine *m, const struct x86_paging *paging, uint64_t va, const struct x86_walk *walk);
/* Is it an address of 48 bits, the highest of which is repeated above them? */
static inline bool x86_canonical(uint64_t va) { return (uint64_t)((int64_t)(va << 16) >> 16) == va; }
#endif
#endif

#ifndef XENLAB_CFFI
/* ---- tables that a guest writes to without asking (tables.c) ---- */
/* How a frame serves as a table: entries of `entry_bytes` (4, 8) in `bytes` bytes from `start` on, the first one for linear
 * address `base` (its low 48 bits), each for 1 << `shift` bytes. An entry is used if its first byte has one of the bits `present`
 * and, but for `always`, one of `accessed`. */
struct table_use { uint64_t base; uint32_t start, bytes; uint8_t shift, entry_bytes; bool always; uint8_t present, accessed, pad[3]; };
/* A cached translation of a cpu: `prot`, MAP_* of what it allows without another look; the frame of MAP_DEVICE is a device's. */
struct cached { uint64_t va, frame; uint32_t prot; bool user; };
/* The translations that a cpu has cached, in no order: the one from *at on, and *at behind it. false: there is none, or the cpu
 * is going to drop them all. For audits, between runs. */
bool cpu_next_cached(struct cpu *cpu, uint64_t *at, struct cached *out);
/* Are stores to this frame watched? */
bool machine_is_table(const struct machine *m, uint64_t frame);
/* A translation read from this table is to be cached, by the engine or by the layer above: what changes it must be seen. */
void machine_note_table(struct machine *m, uint64_t frame, const struct table_use *use);
#endif

#endif
