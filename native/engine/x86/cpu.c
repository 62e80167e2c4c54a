/* cpu.c - making, running and leaving an x86 cpu.
 *
 * cpu_run() calls libunicorn's execution loop itself, not uc_emu_start(): no stop address is translated, and a run
 * costs little to begin. The loop comes back when an exit record is ready, or for reasons of its own (its code
 * buffer was flushed), in which case it is entered again.
 */
#include <stdlib.h>
#include <unicorn/unicorn.h>
#include "traps.h"

enum { CODE_BUFFER_BYTES = 32 << 20 };

/* What the translator may decode beyond its default model: feature words, set and cleared bits. The guest sees CPUID
 * as the layer above answers it. RDRAND, RDSEED, AVX, F16C, FMA and MPX are off: host randomness, or not executed right. */
static const struct { int word; uint32_t set, clear; } FEATURES[] = {
    {U_FEATURE_1_EDX, 0x078bfbff, 0},
    {U_FEATURE_1_ECX, 0x00d82203 & ~(1u << 30), 1u << 30 | 1u << 28 | 1u << 29 | 1u << 12 | 1u << 26 | 1u << 27},
    {U_FEATURE_7_0_EBX, 1u << 0 | 1u << 3 | 1u << 8 | 1u << 9, 1u << 5 | 1u << 18 | 1u << 14 | 1u << 19 | 1u << 20},
    {U_FEATURE_8000_0001_EDX, 0x20100800, 0},
    {U_FEATURE_8000_0001_ECX, 1u << 0 | 1u << 5 | 1u << 8, 0},
};

/* Are the offsets those of the linked library? Write through the public API, find it at the offset. */
static bool selfcheck(struct cpu *c)
{
    unsigned major = 0, minor = 0;
    uint64_t probe = UINT64_C(0x5eed0b5e55ed0ff5), zero = 0;
    if (uc_version(&major, &minor) != UC_MAKE_VERSION(2, 1) && (major != 2 || minor != 1))
        return false;
    if (U_ENV_PADDING < 8 || c->env != c->cs + U_CS_TO_ENV || CS(uc_struct *, U_CS_UC) != c->uc || CS(void *, U_CS_OPAQUE) != NULL)
        return false;
    uc_reg_write((uc_engine *)c->uc, UC_X86_REG_RBX, &probe);
    bool found = cpu_gprs(c)->rbx == probe;
    uc_reg_write((uc_engine *)c->uc, UC_X86_REG_RBX, &zero);
    return found && cpu_gprs(c)->rbx == 0;
}

static int open_engine(struct cpu *c)
{
    uc_engine *uc = NULL;
    if (uc_open(UC_ARCH_X86, UC_MODE_64, &uc) != UC_ERR_OK)
        return -ENOMEM;
    c->uc = (uc_struct *)uc;
    uc_ctl_set_tcg_buffer_size(uc, CODE_BUFFER_BYTES);
    uc_ctl_exits_enable(uc);      /* with none given: else address 0 would count as `until`, and not run */
    if (uc_mem_map_ptr(uc, 0, c->m->frames * ENGINE_PAGE_SIZE, UC_PROT_ALL, c->m->base) != UC_ERR_OK)
        return -ENOMEM;
    uc_hook intr, invalid;
    if (uc_hook_add(uc, &intr, UC_HOOK_INTR, (void *)engine_on_exception, c, 1, 0) != UC_ERR_OK ||
        uc_hook_add(uc, &invalid, UC_HOOK_INSN_INVALID, (void *)engine_on_invalid, c, 1, 0) != UC_ERR_OK)
        return -ENOMEM;
    c->cs = FIELD(char *, (char *)uc, U_UC_CPU);
    c->env = FIELD(char *, c->cs, U_CS_ENV);
    return 0;
}

int cpu_create(struct machine *m, enum cpu_model model, struct cpu **out)
{
    int index = 0;
    while (index < ENGINE_MAX_CPUS && m->cpus[index])
        index++;
    if (index == ENGINE_MAX_CPUS || model != CPU_X86_64)
        return -EINVAL;
    struct cpu *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->m = m;
    c->ops = &m->ops;
    c->index = index;
    int error = open_engine(c);
    if (!error && !selfcheck(c))
        error = -ENOSYS;
    if (error) {
        if (c->uc)
            uc_close((uc_engine *)c->uc);
        free(c);
        return error;
    }
    CS(struct cpu *, U_CS_OPAQUE) = c;
    char *class = CS(char *, U_CS_CC);
    FIELD(tlb_fill_fn *, class, U_CC_TLB_FILL) = engine_tlb_fill;
    FIELD(exec_interrupt_fn *, class, U_CC_EXEC_INTERRUPT) = native_exec_interrupt;
    for (unsigned i = 0; i < sizeof FEATURES / sizeof *FEATURES; i++) {
        uint32_t *word = &ENV(uint32_t, U_ENV_FEATURES + 8 * FEATURES[i].word);      /* words of 64 bits */
        *word = (*word | FEATURES[i].set) & ~FEATURES[i].clear;
    }
    FIELD(int32_t, (char *)c->uc, U_UC_NESTED_LEVEL) = 1;      /* its jump buffer 0 is the execution loop's */
    m->cpus[index] = c;
    if (m->cpu_count <= index)
        m->cpu_count = index + 1;
    *out = c;
    return 0;
}

void cpu_destroy(struct cpu *c)
{
    c->m->cpus[c->index] = NULL;
    FIELD(int32_t, (char *)c->uc, U_UC_NESTED_LEVEL) = 0;
    uc_close((uc_engine *)c->uc);
    free(c);
}

int cpu_set_ops(struct cpu *c, const struct engine_ops *ops)
{
    c->ops = ops;
    if (ops->native)
        return cpu_map_device_window(c);
    cpu_set_attention(c, false);  /* of the whole cpu that it was, before a restore: nothing else would end them */
    c->run_alone = false;
    return 0;
}

int cpu_index(const struct cpu *c) { return c->index; }

struct cpu_exit *cpu_exit_record(struct cpu *c) { return &c->exit; }

void cpu_leave_helper(struct cpu *c)
{
    c->leaving = true;
    CS(int32_t, U_CS_EXCEPTION_INDEX) = U_EXCEPTION_INTERRUPT;
    cpu_loop_exit_x86_64(c->cs);
}

int cpu_run(struct cpu *c, int64_t budget, struct cpu_exit *exit)
{
    memset(&c->exit, 0, sizeof c->exit);
    c->budget = LEFT = budget;
    c->block = NULL;
    c->settled = false;
    c->leaving = false;
    c->delivering = c->transfer = false;
    c->helper_ra = 0;
    c->stop_asked = false;
    c->trap_at = -1;
    ENV(int32_t, U_ENV_OLD_EXCEPTION) = -1;
    ENV(int32_t, U_ENV_EXCEPTION_IS_INT) = 0;
    cpu_tlb_sync(c);
    if (budget <= 0) {
        c->exit.reason = EXIT_BUDGET;
        *exit = c->exit;
        return EXIT_BUDGET;
    }
    c->running = true;
    while (!c->leaving) {
        CS(int32_t, U_CS_EXCEPTION_INDEX) = -1;
        if (c->run_alone)
            CS(uint32_t, U_CS_CFLAGS_NEXT_TB) = 1;
        c->run_alone = false;
        CS(uint32_t, U_CS_HALTED) = 0;
        CS(uint8_t, U_CS_EXIT_REQUEST) = 0;
        FIELD(uint8_t, (char *)c->uc, U_UC_STOP_REQUEST) = 0;
        FIELD(uint8_t, (char *)c->uc, U_UC_QUIT_REQUEST) = 0;
        FIELD(uint32_t, (char *)c->uc, U_UC_INVALID_ERROR) = 0;
        cpu_exec_x86_64(c->uc, c->cs);
        /* cpu_exec leaves the flags whole in eflags and takes them apart again when it is entered */
        if (c->ops->native && ENV(int32_t, U_ENV_OLD_EXCEPTION) == VECTOR_DF && !c->leaving) {
            c->exit.reason = EXIT_SHUTDOWN;       /* a fault while #DF was delivered */
            c->leaving = true;
        }
        if (__atomic_exchange_n(&c->kicked, false, __ATOMIC_RELAXED) && !c->leaving) {
            c->exit.reason = EXIT_KICK;
            c->leaving = true;
        }
        if (FIELD(uint32_t, (char *)c->uc, U_UC_INVALID_ERROR) && !c->leaving) {
            c->exit.reason = EXIT_FATAL;
            c->exit.aux = FIELD(uint32_t, (char *)c->uc, U_UC_INVALID_ERROR);
            c->leaving = true;
        }
    }
    c->running = false;
    c->block = NULL;
    *exit = c->exit;
    return (int)c->exit.reason;
}

void cpu_kick(struct cpu *c) { __atomic_store_n(&c->kicked, true, __ATOMIC_RELAXED); }

int64_t cpu_retired(const struct cpu *c)
{
    uint64_t pc = FIELD(const uint64_t, c->env, U_ENV_EIP) +
                  FIELD(const uint64_t, c->env, U_ENV_SEGS + SEG_CS * U_SEG_SIZE + U_SEG_BASE);
    return c->budget - LEFT - c->held - cpu_unretired(c, pc);
}

void cpu_retire(struct cpu *c)
{
    LEFT--;
    c->m->hooked++;
}

void cpu_unretire(struct cpu *c)
{
    LEFT++;
    c->m->hooked--;
}

bool cpu_undisturbed(const struct cpu *c)
{
    int64_t retired = cpu_retired(c);
    return retired > 0 && c->trap_at != retired;
}

void cpu_leave_at_breakpoint(struct cpu *c)
{
    memset(&c->exit, 0, sizeof c->exit);
    c->exit.reason = EXIT_BREAKPOINT;
    c->exit.flags = cpu_undisturbed(c) ? 0 : TRAP_LATE;
    c->exit.address = cpu_gprs(c)->rip;
}

void cpu_shorten(struct cpu *c, int64_t budget)
{
    if (budget < c->budget)
        cpu_set_budget(c, budget);
}

void cpu_set_budget(struct cpu *c, int64_t budget)
{
    LEFT += budget - c->budget;
    c->budget = budget;
}
