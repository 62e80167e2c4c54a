/* emulate_msr.c - model-specific registers of a PV domain.
 *
 * Xen 4.17 shows an unprivileged domain the registers below and answers every other access with #GP. Facts:
 * guest_rdmsr, guest_wrmsr in xen/arch/x86/msr.c and read_msr, write_msr in xen/arch/x86/pv/emul-priv-op.c, for an AMD
 * processor of family 15; numbers: AMD64 APM volume 2, appendix A.
 * Not there: machine check banks (vMCE), AMD's performance counters.
 */
#include "emulate.h"

enum { APIC_BASE_BSP = 1 << 8, APIC_BASE_ENABLE = 1 << 11, PATCH_LEVEL = 0x01000065, HWCR_TSC_FREQ_SEL = 1 << 24 };
enum { DE_CFG_LFENCE_SERIALISE = 2 };
enum {
    MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_PATCHLEVEL = 0x8b, MSR_PAT = 0x277, MSR_PERF_CAPABILITIES = 0x345,
    MSR_XEN_HYPERCALL = 0x40000000
};
enum {
    MSR_EFER = 0xc0000080, MSR_FS_BASE = 0xc0000100, MSR_GS_BASE = 0xc0000101, MSR_SHADOW_GS_BASE = 0xc0000102,
    MSR_HWCR = 0xc0010015, MSR_PSTATE_FIRST = 0xc0010061, MSR_PSTATE_LAST = 0xc001006b, MSR_DE_CFG = 0xc0011029,
    MSR_MPERF = 0xe7, MSR_APERF = 0xe8
};
#define XEN_PAT 0x050100070406ull      /* WB WT UC- UC, then WC WP UC UC: Xen's page attribute table */

/* What happens to a write: refused, dropped, or taken when it changes nothing. */
enum write_rule { WRITE_REFUSED, WRITE_DROPPED, WRITE_SAME };

/* Registers with one value for all. A range, because the P-states come in a row. */
static const struct { uint32_t first, last; bool readable; uint8_t write; uint64_t value; } CONSTANT[] = {
    {MSR_PATCHLEVEL, MSR_PATCHLEVEL, true, WRITE_DROPPED, PATCH_LEVEL},
    {MSR_MPERF, MSR_APERF, false, WRITE_DROPPED, 0},
    {MSR_PAT, MSR_PAT, true, WRITE_SAME, XEN_PAT},
    {MSR_PERF_CAPABILITIES, MSR_PERF_CAPABILITIES, true, WRITE_REFUSED, 0},
    {MSR_EFER, MSR_EFER, true, WRITE_SAME, EFER_PV},
    {MSR_HWCR, MSR_HWCR, true, WRITE_DROPPED, HWCR_TSC_FREQ_SEL},
    {MSR_PSTATE_FIRST, MSR_PSTATE_LAST, true, WRITE_DROPPED, 0},
    {MSR_DE_CFG, MSR_DE_CFG, true, WRITE_DROPPED, DE_CFG_LFENCE_SERIALISE},
};

static int constant(uint32_t msr)
{
    for (int i = 0; i < (int)(sizeof CONSTANT / sizeof *CONSTANT); i++)
        if (msr >= CONSTANT[i].first && msr <= CONSTANT[i].last)
            return i;
    return -1;
}

static bool read_msr(struct emulation *e, uint32_t msr, uint64_t *value)
{
    int i = constant(msr);
    switch (msr) {
    case MSR_TSC:
        *value = hv_now(e->hv);
        return true;
    case MSR_APIC_BASE:           /* Linux looks whether there is one, although a PV guest cannot use it */
        *value = APIC_BASE_ENABLE | (e->v->id == 0 ? APIC_BASE_BSP : 0);
        return true;
    case MSR_FS_BASE:
        *value = cpu_segment_base(e->cpu, SEG_FS);
        return true;
    case MSR_GS_BASE:
        *value = cpu_segment_base(e->cpu, SEG_GS);
        return true;
    case MSR_SHADOW_GS_BASE:
        *value = e->v->gs_base_user;
        return true;
    case MSR_XEN_HYPERCALL:
        *value = 0;
        return true;
    default:
        *value = i < 0 ? 0 : CONSTANT[i].value;
        return i >= 0 && CONSTANT[i].readable;
    }
}

enum { STUB_BYTES = 32, STUBS = ENGINE_PAGE_SIZE / STUB_BYTES };

void hv_hypercall_page(struct hv *hv, uint64_t mfn)
{
    /* push %rcx; push %r11; mov $nr, %eax; syscall; pop %r11; pop %rcx; ret */
    static const uint8_t CALL[] = {0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
    /* iret builds on the frame: push %rcx; push %r11; push %rax; mov $nr, %eax; syscall */
    static const uint8_t IRET[] = {0x51, 0x41, 0x53, 0x50, 0xb8, __HYPERVISOR_iret, 0, 0, 0, 0x0f, 0x05};
    enum { CALL_NUMBER_AT = 4, FILL = 0xcc };
    uint8_t *page = machine_frame(hv->m, mfn);
    if (!page)
        return;
    machine_write_begin(hv->m, mfn);
    memset(page, FILL, ENGINE_PAGE_SIZE);
    for (unsigned nr = 0; nr < STUBS; nr++) {
        uint8_t *stub = page + nr * STUB_BYTES;
        memcpy(stub, CALL, sizeof CALL);
        stub[CALL_NUMBER_AT] = (uint8_t)nr;
    }
    memset(page + __HYPERVISOR_iret * STUB_BYTES, FILL, STUB_BYTES);
    memcpy(page + __HYPERVISOR_iret * STUB_BYTES, IRET, sizeof IRET);
}

/* Write the hypercall page into a frame of the guest's; the low bits choose a page, of which there is one. */
static bool place_hypercall_page(struct emulation *e, uint64_t value)
{
    struct domain *d = hv_domain(e->hv, e->v);
    uint64_t mfn = value >> ENGINE_PAGE_SHIFT;
    if (value & (ENGINE_PAGE_SIZE - 1) || mfn >= e->hv->s->frames || hv_get_page(e->hv, mfn, d->domid))
        return false;
    bool writable = hv_get_page_type(e->hv, d, mfn, PGT_writable) == 0;
    if (writable) {
        hv_hypercall_page(e->hv, mfn);
        hv_put_page_type(e->hv, d, mfn);
    }
    hv_put_page(e->hv, mfn);
    return writable;
}

static bool write_msr(struct emulation *e, uint32_t msr, uint64_t value)
{
    int i = constant(msr);
    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
        if (!x86_canonical(value))
            return false;
        cpu_set_segment_base(e->cpu, msr == MSR_FS_BASE ? SEG_FS : SEG_GS, value);
        return true;
    case MSR_SHADOW_GS_BASE:
        if (!x86_canonical(value))
            return false;
        e->v->gs_base_user = value;
        return true;
    case MSR_XEN_HYPERCALL:
        return place_hypercall_page(e, value);
    default:
        return i >= 0 && (CONSTANT[i].write == WRITE_DROPPED ||
                          (CONSTANT[i].write == WRITE_SAME && value == CONSTANT[i].value));
    }
}

enum emul_result emul_rdmsr(struct emulation *e)
{
    uint64_t value;
    if (!read_msr(e, (uint32_t)e->g->rcx, &value))
        return EMUL_REFUSED;
    e->g->rax = (uint32_t)value;
    e->g->rdx = value >> 32;
    return EMUL_DONE;
}

enum emul_result emul_wrmsr(struct emulation *e)
{
    uint64_t value = (uint32_t)e->g->rax | e->g->rdx << 32;
    return write_msr(e, (uint32_t)e->g->rcx, value) ? EMUL_DONE : EMUL_REFUSED;
}
