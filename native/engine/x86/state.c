/* state.c - registers of an x86 cpu: single ones for the layer above, and all of them in canonical form.
 *
 * libunicorn keeps derived state beside the registers: hflags (mode, CPL, code size) follow from segments and control
 * registers, and the arithmetic flags are lazy while a cpu runs. Both are dealt with here and nowhere else.
 */
#include "cpu.h"

enum { CC_BITS = 0x8d5, DF_BIT = 0x400, CC_OP_EFLAGS = 1 };
#define CR0_PG 0x80000000u

struct x86_gprs *cpu_gprs(struct cpu *c) { return (struct x86_gprs *)c->env; }

uint64_t cpu_rflags(struct cpu *c)
{
    uint64_t rflags = ENV(uint64_t, U_ENV_EFLAGS);
    if (c->running) {
        rflags |= cpu_cc_compute_all_x86_64(c->env, ENV(int32_t, U_ENV_CC_OP));
        rflags |= (uint64_t)(int64_t)ENV(int32_t, U_ENV_DF) & DF_BIT;
    }
    return rflags | 2;
}

void cpu_set_rflags(struct cpu *c, uint64_t rflags)
{
    ENV(uint64_t, U_ENV_CC_SRC) = rflags & CC_BITS;
    ENV(int32_t, U_ENV_CC_OP) = CC_OP_EFLAGS;
    ENV(int32_t, U_ENV_DF) = rflags & DF_BIT ? -1 : 1;
    ENV(uint64_t, U_ENV_EFLAGS) = (c->running ? rflags & ~(uint64_t)(CC_BITS | DF_BIT) : rflags) | 2;
}

/* ---- segments ---- */

static char *segment_cache(struct cpu *c, enum x86_segment seg)
{
    return c->env + (seg == SEG_LDT ? U_ENV_LDT : seg == SEG_TR ? U_ENV_TR : U_ENV_SEGS + (int)seg * U_SEG_SIZE);
}

/* Recompute the mode bits that follow from CS and SS (and DS, ES for the need to add bases). */
static void update_mode(struct cpu *c)
{
    uint32_t hflags = ENV(uint32_t, U_ENV_HFLAGS) & ~(uint32_t)(HF_CPL | HF_CS32 | HF_SS32 | HF_ADDSEG | HF_CS64);
    uint32_t cs = FIELD(uint32_t, segment_cache(c, SEG_CS), U_SEG_FLAGS), ss = FIELD(uint32_t, segment_cache(c, SEG_SS), U_SEG_FLAGS);
    hflags |= ss >> DESC_DPL_SHIFT & HF_CPL;
    if (hflags & HF_LMA && cs & DESC_L) {
        hflags |= HF_CS32 | HF_SS32 | HF_CS64;
    } else {
        hflags |= (cs & DESC_BIG ? HF_CS32 : 0u) | (ss & DESC_BIG ? HF_SS32 : 0u);
        uint64_t bases = cpu_segment_base(c, SEG_DS) | cpu_segment_base(c, SEG_ES) | cpu_segment_base(c, SEG_SS);
        bool flat = ENV(uint64_t, U_ENV_CR) & CR0_PE && !(ENV(uint64_t, U_ENV_EFLAGS) & RFLAGS_VM) && hflags & HF_CS32 && bases == 0;
        hflags |= flat ? 0u : HF_ADDSEG;
    }
    ENV(uint32_t, U_ENV_HFLAGS) = hflags;
    cpu_segments_changed(c);
}

void cpu_get_segment(struct cpu *c, enum x86_segment seg, struct x86_segment_state *out)
{
    const char *cache = segment_cache(c, seg);
    *out = (struct x86_segment_state){
        .selector = FIELD(const uint32_t, cache, U_SEG_SELECTOR), .base = FIELD(const uint64_t, cache, U_SEG_BASE),
        .limit = FIELD(const uint32_t, cache, U_SEG_LIMIT), .attributes = FIELD(const uint32_t, cache, U_SEG_FLAGS) & 0x00f0ff00};
    if (seg == SEG_TR && out->attributes & DESC_PRESENT)
        out->attributes |= DESC_TSS_BUSY;
}

static void put_segment(struct cpu *c, enum x86_segment seg, const struct x86_segment_state *in)
{
    char *cache = segment_cache(c, seg);
    /* A TSS in TR is a busy one; libunicorn wants to read there that it is not. */
    uint32_t attributes = seg == SEG_TR ? in->attributes & ~(uint32_t)DESC_TSS_BUSY : in->attributes;
    FIELD(uint32_t, cache, U_SEG_SELECTOR) = in->selector;
    FIELD(uint64_t, cache, U_SEG_BASE) = in->base;
    FIELD(uint32_t, cache, U_SEG_LIMIT) = in->limit;
    FIELD(uint32_t, cache, U_SEG_FLAGS) = attributes;
}

void cpu_set_segment(struct cpu *c, enum x86_segment seg, const struct x86_segment_state *in)
{
    put_segment(c, seg, in);
    update_mode(c);
}

uint64_t cpu_segment_base(struct cpu *c, enum x86_segment seg) { return FIELD(uint64_t, segment_cache(c, seg), U_SEG_BASE); }

void cpu_set_segment_base(struct cpu *c, enum x86_segment seg, uint64_t base)
{
    FIELD(uint64_t, segment_cache(c, seg), U_SEG_BASE) = base;
}

static void set_table(char *cache, uint64_t base, uint32_t limit)
{
    FIELD(uint64_t, cache, U_SEG_BASE) = base;
    FIELD(uint32_t, cache, U_SEG_LIMIT) = limit;
}

void cpu_set_gdt(struct cpu *c, uint64_t base, uint32_t limit) { set_table(c->env + U_ENV_GDT, base, limit); }

void cpu_set_ldt(struct cpu *c, uint64_t base, uint32_t limit) { set_table(c->env + U_ENV_LDT, base, limit); }

/* ---- control and debug registers ---- */

uint64_t cpu_cr(struct cpu *c, int n) { return n >= 0 && n <= 4 ? ENV(uint64_t, U_ENV_CR + 8 * n) : 0; }

void cpu_set_cr(struct cpu *c, int n, uint64_t value)
{
    switch (n) {
    case 0:
        cpu_x86_update_cr0_x86_64(c->env, (uint32_t)value);
        break;
    case 2:
        ENV(uint64_t, U_ENV_CR + 16) = value;
        break;
    case 3:
        cpu_x86_update_cr3_x86_64(c->env, value);
        break;
    case 4:
        cpu_x86_update_cr4_x86_64(c->env, (uint32_t)value);
        cpu_umip_changed(c);
        break;
    default:
        break;
    }
}

uint64_t cpu_efer(struct cpu *c) { return ENV(uint64_t, U_ENV_EFER); }

uint64_t cpu_dr(struct cpu *c, int n) { return n >= 0 && n < 8 ? ENV(uint64_t, U_ENV_DR + 8 * n) : 0; }

void cpu_set_dr(struct cpu *c, int n, uint64_t value)
{
    if (n < 0 || n > 7)
        return;
    uint64_t dr7 = ENV(uint64_t, U_ENV_DR + 56);
    if (n == 7) {
        cpu_x86_update_dr7_x86_64(c->env, (uint32_t)value);
    } else if (n < 4) {           /* re-arm with the new address */
        cpu_x86_update_dr7_x86_64(c->env, (uint32_t)dr7 & ~(3u << 2 * n));
        ENV(uint64_t, U_ENV_DR + 8 * n) = value;
        cpu_x86_update_dr7_x86_64(c->env, (uint32_t)dr7);
    } else {
        ENV(uint64_t, U_ENV_DR + 8 * n) = value;
    }
    cpu_watch_changed(c, dr7);
}

void cpu_umip_changed(struct cpu *c)
{
    uint32_t *hflags = &ENV(uint32_t, U_ENV_HFLAGS);
    *hflags = (*hflags & ~(uint32_t)HF_UMIP) | (ENV(uint64_t, U_ENV_CR + 32) & CR4_UMIP ? (uint32_t)HF_UMIP : 0u);
}

/* ---- everything ---- */

static void get_fpu(struct cpu *c, struct x86_state *out)
{
    unsigned top = ENV(uint32_t, U_ENV_FPSTT) & 7;
    cpu_merge_x87(c);
    cpu_merge_mxcsr(c);
    for (unsigned i = 0; i < 8; i++)
        memcpy(out->x87 + 16 * i, c->env + U_ENV_FPREGS + ((top + i) & 7) * U_FPREG_SIZE, 10);
    out->fcw = ENV(uint16_t, U_ENV_FPUC);
    out->fsw = (uint16_t)((ENV(uint16_t, U_ENV_FPUS) & ~0x3800) | (int)(top << 11));
    for (unsigned i = 0; i < 8; i++)
        out->ftw = (uint8_t)(out->ftw | (ENV(uint8_t, U_ENV_FPTAGS + (int)i) ? 0 : 1 << i));
    out->fop = ENV(uint16_t, U_ENV_FPOP);
    out->fip = ENV(uint64_t, U_ENV_FPIP);
    out->fdp = ENV(uint64_t, U_ENV_FPDP);
    out->mxcsr = ENV(uint32_t, U_ENV_MXCSR);
    for (unsigned i = 0; i < 16; i++)
        memcpy(out->xmm + 16 * i, c->env + U_ENV_XMM + i * U_XMM_SIZE, 16);
}

static void set_fpu(struct cpu *c, const struct x86_state *in)
{
    unsigned top = in->fsw >> 11 & 7;
    ENV(uint32_t, U_ENV_FPSTT) = top;
    for (unsigned i = 0; i < 8; i++)
        memcpy(c->env + U_ENV_FPREGS + ((top + i) & 7) * U_FPREG_SIZE, in->x87 + 16 * i, 10);
    ENV(uint16_t, U_ENV_FPUC) = in->fcw;
    ENV(uint16_t, U_ENV_FPUS) = (uint16_t)(in->fsw & ~0x3800);
    for (unsigned i = 0; i < 8; i++)
        ENV(uint8_t, U_ENV_FPTAGS + (int)i) = in->ftw >> i & 1 ? 0 : 1;
    ENV(uint16_t, U_ENV_FPOP) = in->fop;
    ENV(uint64_t, U_ENV_FPIP) = in->fip;
    ENV(uint64_t, U_ENV_FPDP) = in->fdp;
    ENV(uint32_t, U_ENV_MXCSR) = in->mxcsr;
    update_fp_status_x86_64(c->env);
    update_mxcsr_status_x86_64(c->env);
    ENV(uint8_t, U_ENV_X87_FLAGS) = 0;
    cpu_mxcsr_loaded(c);
    for (unsigned i = 0; i < 16; i++)
        memcpy(c->env + U_ENV_XMM + i * U_XMM_SIZE, in->xmm + 16 * i, 16);
}

/* Registers that are one 64-bit field on both sides. */
static const struct { size_t canonical; int offset; } PLAIN[] = {
    {offsetof(struct x86_state, xcr0), U_ENV_XCR0},
    {offsetof(struct x86_state, star), U_ENV_STAR},
    {offsetof(struct x86_state, lstar), U_ENV_LSTAR},
    {offsetof(struct x86_state, cstar), U_ENV_CSTAR},
    {offsetof(struct x86_state, fmask), U_ENV_FMASK},
    {offsetof(struct x86_state, kernel_gs_base), U_ENV_KERNELGSBASE},
    {offsetof(struct x86_state, sysenter_esp), U_ENV_SYSENTER_ESP},
    {offsetof(struct x86_state, sysenter_eip), U_ENV_SYSENTER_EIP},
    {offsetof(struct x86_state, pat), U_ENV_PAT},
    {offsetof(struct x86_state, tsc_aux), U_ENV_TSC_AUX},
};

void cpu_get_state(struct cpu *c, struct x86_state *out)
{
    memset(out, 0, sizeof *out);
    out->gprs = *cpu_gprs(c);
    out->rflags = cpu_rflags(c);
    for (int i = 0; i < SEG_COUNT; i++)
        cpu_get_segment(c, (enum x86_segment)i, &out->segments[i]);
    out->gdt_base = FIELD(uint64_t, c->env, U_ENV_GDT + U_SEG_BASE);
    out->gdt_limit = FIELD(uint32_t, c->env, U_ENV_GDT + U_SEG_LIMIT);
    out->idt_base = FIELD(uint64_t, c->env, U_ENV_IDT + U_SEG_BASE);
    out->idt_limit = FIELD(uint32_t, c->env, U_ENV_IDT + U_SEG_LIMIT);
    out->cr0 = cpu_cr(c, 0);
    out->cr2 = cpu_cr(c, 2);
    out->cr3 = cpu_cr(c, 3);
    out->cr4 = cpu_cr(c, 4);
    for (int i = 0; i < 8; i++)
        out->dr[i] = cpu_dr(c, i);
    out->efer = ENV(uint64_t, U_ENV_EFER);
    out->sysenter_cs = ENV(uint32_t, U_ENV_SYSENTER_CS);
    for (unsigned i = 0; i < sizeof PLAIN / sizeof *PLAIN; i++)
        memcpy((char *)out + PLAIN[i].canonical, c->env + PLAIN[i].offset, 8);
    get_fpu(c, out);
    out->interrupt_shadow = ENV(uint32_t, U_ENV_HFLAGS) & HF_INHIBIT_IRQ ? 1 : 0;
    out->pending_exception = -1;
    out->nmi_blocked = ENV(uint32_t, U_ENV_HFLAGS2) & HF2_NMI ? 1 : 0;
}

/* The control registers and what hangs on them. Long mode becomes active when paging is switched on with EFER.LME set, so:
 * EFER first, then CR4, CR3, CR0. Each of these flushes the translations, so what is the same is left alone. */
static void set_mode(struct cpu *c, const struct x86_state *in)
{
    if (cpu_cr(c, 0) == in->cr0 && cpu_cr(c, 4) == in->cr4 && ENV(uint64_t, U_ENV_EFER) == in->efer) {
        ENV(uint64_t, U_ENV_CR + 24) = in->cr3;
        return;
    }
    cpu_set_cr(c, 0, in->cr0 & ~CR0_PG);
    ENV(uint64_t, U_ENV_EFER) = in->efer & ~(uint64_t)EFER_LMA;
    ENV(uint32_t, U_ENV_HFLAGS) &= ~(uint32_t)(HF_LMA | HF_CS64);
    cpu_set_cr(c, 4, in->cr4);
    cpu_set_cr(c, 3, in->cr3);
    cpu_set_cr(c, 0, in->cr0);
}

static void set_debug_registers(struct cpu *c, const struct x86_state *in)
{
    bool same = true;
    for (int i = 0; i < 8; i++)
        same &= i == 4 || i == 5 || cpu_dr(c, i) == in->dr[i];
    if (same)
        return;
    cpu_set_dr(c, 7, 0x400);
    for (int i = 0; i < 8; i++)
        if (i != 4 && i != 5)
            cpu_set_dr(c, i, in->dr[i]);
}

void cpu_set_state(struct cpu *c, const struct x86_state *in)
{
    cpu_watch_forget(c);
    set_mode(c, in);
    cpu_set_cr(c, 2, in->cr2);
    *cpu_gprs(c) = in->gprs;
    cpu_set_rflags(c, in->rflags);
    for (int i = 0; i < SEG_COUNT; i++)
        put_segment(c, (enum x86_segment)i, &in->segments[i]);
    update_mode(c);
    cpu_set_gdt(c, in->gdt_base, in->gdt_limit);
    set_table(c->env + U_ENV_IDT, in->idt_base, in->idt_limit);
    set_debug_registers(c, in);
    ENV(uint32_t, U_ENV_SYSENTER_CS) = (uint32_t)in->sysenter_cs;
    for (unsigned i = 0; i < sizeof PLAIN / sizeof *PLAIN; i++)
        memcpy(c->env + PLAIN[i].offset, (const char *)in + PLAIN[i].canonical, 8);
    set_fpu(c, in);
    if (in->interrupt_shadow)
        ENV(uint32_t, U_ENV_HFLAGS) |= HF_INHIBIT_IRQ;
    else
        ENV(uint32_t, U_ENV_HFLAGS) &= ~(uint32_t)HF_INHIBIT_IRQ;
    ENV(uint32_t, U_ENV_HFLAGS2) &= ~(uint32_t)HF2_NMI;
    ENV(uint32_t, U_ENV_HFLAGS2) |= in->nmi_blocked ? HF2_NMI : 0u;
    cpu_tlb_flush(c);
}

void x86_save(struct cpu *c, void *out) { cpu_get_state(c, out); }

void x86_load(struct cpu *c, const void *in) { cpu_set_state(c, in); }
