/* msr.c - MSRs and control registers of an HVM vcpu: what is there, what may be written, who holds it.
 *
 * The processor is the one that hv_cpuid.c describes. MSRs that the engine holds are checked here and executed there; an
 * MSR that is not in the table does not exist. Facts: AMD64 APM volume 2, 3.1 (control registers) and appendix A.
 */
#include "hvm.h"
#include "../../p2m.h"

enum {
    MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0, MSR_MTRR_CAP = 0xfe, MSR_MTRR_BASE0 = 0x200,
    MSR_MTRR_DEFAULT = 0x2ff, MSR_PAT = 0x277, MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176,
    MSR_MISC_ENABLE = 0x1a0, MSR_XEN_HYPERCALL = 0x40000000
};
#define MSR_EFER      0xc0000080u
#define MSR_STAR      0xc0000081u
#define MSR_LSTAR     0xc0000082u
#define MSR_CSTAR     0xc0000083u
#define MSR_FMASK     0xc0000084u
#define MSR_FS_BASE   0xc0000100u
#define MSR_GS_BASE   0xc0000101u
#define MSR_KERNEL_GS 0xc0000102u
#define MSR_TSC_AUX   0xc0000103u

#define EFER_BITS UINT64_C(0xd01)            /* SCE LME LMA NXE */
#define CR0_BITS  UINT64_C(0xe005003f)
#define CR4_BITS  UINT64_C(0xefc)            /* TSD DE PSE PAE MCE PGE OSFXSR OSXMMEXCPT UMIP */
enum { MTRR_CAP = 1 << 10 | 1 << 8 | MTRR_VARIABLE };

/* ---- MSRs that read as a constant and whose writes do nothing ---- */
static const struct { uint32_t number; uint64_t value; } CONSTANT[] = {
    {0x17, 0}, {0x2a, 0}, {0x8b, 0}, {0x79, 0}, {0xe7, 0}, {0xe8, 0}, {0x179, 0}, {0x17a, 0}, {0x1d9, 0}, {0x198, 0},
    {0xc0010010, 0}, {0xc0010015, 1 << 24}, {0xc001001f, 0}, {0xc0010055, 0}, {0xc0010058, 0}, {0xc0010061, 0},
    {0xc0010062, 0}, {0xc0010063, 0}, {0xc0010064, 0}, {0xc0010114, 1 << 4}, {0xc0010117, 0}, {0xc0011020, 0}, {0xc0011021, 0},
    {0xc0011022, 0}, {0xc0011023, 0}, {0xc0011029, 0}, {0xc001102a, 0},
    /* performance counters and what they count, as Xen without a virtual PMU answers (vpmu_do_msr() in cpu/vpmu.c) */
    {0xc0010000, 0}, {0xc0010001, 0}, {0xc0010002, 0}, {0xc0010003, 0}, {0xc0010004, 0}, {0xc0010005, 0}, {0xc0010006, 0},
    {0xc0010007, 0},
};

static bool constant(uint32_t number, uint64_t *value)
{
    for (unsigned i = 0; i < sizeof CONSTANT / sizeof *CONSTANT; i++)
        if (CONSTANT[i].number == number) {
            *value = CONSTANT[i].value;
            return true;
        }
    return false;
}

/* ---- memory types: kept, and without effect ---- */

static uint64_t *mtrr(struct hvm_vcpu *h, uint32_t number)
{
    static const uint16_t FIXED[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    if (number >= MSR_MTRR_BASE0 && number < MSR_MTRR_BASE0 + 2 * MTRR_VARIABLE)
        return number & 1 ? &h->mtrr_mask[(number - MSR_MTRR_BASE0) / 2] : &h->mtrr_base[(number - MSR_MTRR_BASE0) / 2];
    for (unsigned i = 0; i < sizeof FIXED / sizeof *FIXED; i++)
        if (FIXED[i] == number)
            return &h->mtrr_fixed[i];
    return number == MSR_MTRR_DEFAULT ? &h->mtrr_default : number == MSR_MISC_ENABLE ? &h->misc_enable : NULL;
}

static bool memory_type_ok(uint64_t type) { return type < 8 && (1u << type & 0x73) != 0; }

static bool mtrr_ok(uint32_t number, uint64_t value)
{
    if (number >= MSR_MTRR_BASE0 && number < MSR_MTRR_BASE0 + 2 * MTRR_VARIABLE)
        return value >> ENGINE_PHYSICAL_BITS == 0 && (number & 1 || memory_type_ok(value & 0xff));
    if (number == MSR_MTRR_DEFAULT)
        return !(value & ~UINT64_C(0xcff)) && memory_type_ok(value & 0xff);
    for (int i = 0; number != MSR_MISC_ENABLE && i < 8; i++)
        if (!memory_type_ok(value >> 8 * i & 0xff))
            return false;
    return true;
}

static bool pat_ok(uint64_t value)
{
    for (int i = 0; i < 8; i++)
        if (!(memory_type_ok(value >> 8 * i & 0xff) || (value >> 8 * i & 0xff) == 7))
            return false;
    return true;
}

void hvm_reset_msrs(struct hvm_vcpu *h)
{
    memset(h->mtrr_base, 0, sizeof h->mtrr_base);
    memset(h->mtrr_mask, 0, sizeof h->mtrr_mask);
    memset(h->mtrr_fixed, 0, sizeof h->mtrr_fixed);
    h->mtrr_default = 0;
    h->misc_enable = 1;           /* fast strings */
    h->tsc_offset = 0;
}

/* ---- those with a meaning ---- */

static bool efer_ok(struct cpu *cpu, uint64_t value)
{
    uint64_t old = cpu_efer(cpu);
    if (value & ~EFER_BITS)
        return false;
    return !(cpu_cr(cpu, 0) & CR0_PG) || !((old ^ value) & 0x100);      /* LME while paging */
}

/* The meaning of NX bits changes with the next instruction, which is therefore looked up anew. */
static enum io_answer write_efer(struct cpu *cpu, uint64_t value, bool alone)
{
    if (!efer_ok(cpu, value))
        return IO_FAULT;
    if ((cpu_efer(cpu) ^ value) & EFER_NX) {
        if (!alone)
            return IO_ALONE;
        cpu_tlb_flush(cpu);
        cpu_shorten(cpu, cpu_retired(cpu) + 1);
    }
    return IO_ENGINE;
}

/* Of an MSR that the engine holds: may this be written? */
static bool engine_ok(uint32_t number, uint64_t value)
{
    switch (number) {
    case MSR_PAT: return pat_ok(value);
    case MSR_TSC_AUX:
    case MSR_FMASK: return value >> 32 == 0;
    case MSR_STAR:
    case MSR_SYSENTER_CS: return true;
    default: return x86_canonical(value);
    }
}

static bool engine_holds(uint32_t number)
{
    static const uint32_t HELD[] = {MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS,
                                    MSR_TSC_AUX, MSR_PAT, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP};
    for (unsigned i = 0; i < sizeof HELD / sizeof *HELD; i++)
        if (HELD[i] == number)
            return true;
    return false;
}

static bool write_hypercall_page(struct hv *hv, struct vcpu *v, uint64_t value)
{
    uint8_t *page = value & 0xfff ? NULL : hv_ram(hv, hv_domain(hv, v), value, true);
    if (!page)
        return false;
    hvm_hypercall_page(page);
    hv_latch_width(hv, v);
    return true;
}

static bool read(struct hv *hv, struct vcpu *v, uint32_t number, uint64_t *value)
{
    struct hvm_vcpu *h = hvm_vcpu_of(hv, v);
    const uint64_t *kept = mtrr(h, number);
    switch (number) {
    case MSR_TSC: *value = hv_now(hv) + (uint64_t)h->tsc_offset; return true;
    case MSR_APIC_BASE: *value = h->lapic.base; return true;
    case MSR_TSC_DEADLINE: *value = h->lapic.tsc_deadline; return true;
    case MSR_MTRR_CAP: *value = MTRR_CAP; return true;
    default:
        if (kept)
            *value = *kept;
        return kept || constant(number, value);
    }
}

static bool write(struct hv *hv, struct vcpu *v, uint32_t number, uint64_t value)
{
    struct hvm_vcpu *h = hvm_vcpu_of(hv, v);
    uint64_t ignored, *kept = mtrr(h, number);
    switch (number) {
    case MSR_TSC: h->tsc_offset = (int64_t)(value - hv_now(hv)); return true;
    case MSR_APIC_BASE: return lapic_set_base(&h->lapic, value);
    case MSR_TSC_DEADLINE: lapic_set_tsc_deadline(hv, v, value); return true;
    case MSR_XEN_HYPERCALL: return write_hypercall_page(hv, v, value);
    default:
        if (kept && mtrr_ok(number, value))
            *kept = value;
        return kept ? mtrr_ok(number, value) : constant(number, &ignored);
    }
}

enum io_answer hvm_msr(void *ctx, struct cpu *cpu, uint32_t number, bool is_write, uint64_t *value, bool alone)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    if (number == MSR_EFER && is_write)
        return write_efer(cpu, *value, alone);
    if (engine_holds(number))
        return !is_write || engine_ok(number, *value) ? IO_ENGINE : IO_FAULT;
    if (!is_write)
        return read(hv, v, number, value) ? IO_DONE : IO_FAULT;
    if (!alone)                   /* it may arm a timer */
        return IO_ALONE;
    if (!write(hv, v, number, *value))
        return IO_FAULT;
    hvm_changed(hv, v);
    return IO_DONE;
}

/* ---- control registers ---- */

bool hvm_mode_ok(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    bool long_mode = efer & EFER_LMA;
    return !(cr0 & ~CR0_BITS) && cr0 & 0x10 && !(cr4 & ~CR4_BITS) && !(efer & ~EFER_BITS) && (cr0 & CR0_PE || !(cr0 & CR0_PG)) &&
           (cr0 & 0x40000000 || !(cr0 & 0x20000000)) && (cr4 & CR4_PAE || !long_mode);
}

bool hvm_write_cr(void *ctx, struct cpu *cpu, int n, uint64_t *value)
{
    struct hv *hv = ctx;
    bool long_mode = cpu_efer(cpu) & EFER_LMA;
    switch (n) {
    case 0:
        if (*value >> 32 || (*value & CR0_PG && !(*value & CR0_PE)) || (*value & 0x20000000 && !(*value & 0x40000000)))
            return false;
        if (long_mode && !(*value & CR0_PG) && hvm_in_64bit(cpu))
            return false;
        if (*value & CR0_PG && !(cpu_cr(cpu, 0) & CR0_PG) && cpu_efer(cpu) & 0x100 && !(cpu_cr(cpu, 4) & CR4_PAE))
            return false;
        *value = (*value & CR0_BITS) | 0x10;
        return true;
    case 2:
        hvm_vcpu_of(hv, hv->current)->cr2 = *value;
        return true;
    case 3:
        return !long_mode || !(*value >> ENGINE_PHYSICAL_BITS);
    case 4:
        return !(*value & ~CR4_BITS) && !(long_mode && !(*value & CR4_PAE));
    case 8:
        if (*value & ~UINT64_C(0xf))
            return false;
        lapic_set_tpr(&hvm_vcpu_of(hv, hv->current)->lapic, (uint32_t)*value << 4);
        hvm_resume(hv, hv->current);
        return true;
    default:
        return true;
    }
}
