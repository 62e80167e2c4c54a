/* cpu.c - x86 cpus: what is made, entered and left in their own way. */
#include <stdlib.h>
#include <unicorn/unicorn.h>
#include "cpu.h"

/* What the translator may decode beyond its default model: feature words, set and cleared bits. The guest sees CPUID
 * as the layer above answers it. RDRAND, RDSEED, AVX, F16C, FMA and MPX are off: host randomness, or not executed right. */
static const struct { int word; uint32_t set, clear; } FEATURES[] = {
    {U_FEATURE_1_EDX, 0x078bfbff, 0},
    {U_FEATURE_1_ECX, 0x00d82203 & ~(1u << 30), 1u << 30 | 1u << 28 | 1u << 29 | 1u << 12 | 1u << 26 | 1u << 27},
    {U_FEATURE_7_0_EBX, 1u << 0 | 1u << 3 | 1u << 8 | 1u << 9, 1u << 5 | 1u << 18 | 1u << 14 | 1u << 19 | 1u << 20},
    {U_FEATURE_8000_0001_EDX, 0x20100800, 0},
    {U_FEATURE_8000_0001_ECX, 1u << 0 | 1u << 5 | 1u << 8, 0},
};

bool T(target_proven)(struct cpu *c)
{
    uint64_t probe = UINT64_C(0x5eed0b5e55ed0ff5), zero = 0;
    uc_reg_write((uc_engine *)c->uc, UC_X86_REG_RBX, &probe);
    bool found = cpu_gprs(c)->rbx == probe;
    uc_reg_write((uc_engine *)c->uc, UC_X86_REG_RBX, &zero);
    return found && cpu_gprs(c)->rbx == 0;
}

int x86_create(struct machine *m, enum cpu_model model, struct cpu **out)
{
    (void)model;
    struct cpu *c = calloc(1, sizeof(struct x86_cpu));
    if (!c)
        return -ENOMEM;
    c->kind = &x86_kind;
    c->m = m;
    c->ops = &m->ops;
    int error = cpu_open(c, UC_ARCH_X86, UC_MODE_64, -1);
    if (!error && !cpu_enter(m, c))
        error = -EINVAL;
    if (error) {
        x86_destroy(c);
        return error;
    }
    for (unsigned i = 0; i < sizeof FEATURES / sizeof *FEATURES; i++) {
        uint32_t *word = &ENV(uint32_t, U_ENV_FEATURES + 8 * FEATURES[i].word);      /* words of 64 bits */
        *word = (*word | FEATURES[i].set) & ~FEATURES[i].clear;
    }
    *out = c;
    return 0;
}

void x86_destroy(struct cpu *c)
{
    cpu_close(c);
    free(c);
}

int x86_set_ops(struct cpu *c)
{
    if (c->ops->native)
        return cpu_map_device_window(c);
    cpu_set_attention(c, false);  /* of the whole cpu that it was, before a restore: nothing else would end them */
    c->run_alone = false;
    return 0;
}

uint64_t x86_pc(struct cpu *c) { return cpu_gprs(c)->rip; }

void x86_set_pc(struct cpu *c, uint64_t pc) { cpu_gprs(c)->rip = pc; }

uint64_t target_linear_pc(const struct cpu *c)
{
    return FIELD(const uint64_t, c->env, U_ENV_EIP) + FIELD(const uint64_t, c->env, U_ENV_SEGS + SEG_CS * U_SEG_SIZE + U_SEG_BASE);
}

void target_at_block(struct cpu *c, const char *tb)
{
    cpu_gprs(c)->rip = FIELD(const uint64_t, tb, U_TB_PC) - FIELD(const uint64_t, tb, U_TB_CS_BASE);
}

uintptr_t target_helper_ra(struct cpu *c, uintptr_t ra) { return cpu_helper_ra(c, ra); }

void target_restored(struct cpu *c)
{
    X86(c)->helper_ra = 0;
    X86(c)->transfer = false;
}

void T(target_enter)(struct cpu *c)
{
    X86(c)->delivering = X86(c)->transfer = false;
    X86(c)->helper_ra = 0;
    ENV(int32_t, U_ENV_OLD_EXCEPTION) = -1;
    ENV(int32_t, U_ENV_EXCEPTION_IS_INT) = 0;
}

/* cpu_exec leaves the flags whole in eflags and takes them apart again when it is entered. */
void T(target_back)(struct cpu *c)
{
    if (!c->ops->native || ENV(int32_t, U_ENV_OLD_EXCEPTION) != VECTOR_DF)
        return;
    c->exit.reason = EXIT_SHUTDOWN;       /* a fault while #DF was delivered */
    c->leaving = true;
}
