/* hv_cpuid.c - CPUID as a 64-bit PV domain of Xen 4.17 sees it on this engine's processor.
 *
 * The processor is an AMD family 15 one (SYSCALL in all modes, no SYSENTER in long mode). Shown is what the engine
 * executes, less what Xen keeps from PV guests: PSE PGE MTRR PSE36 MCE MCA VME (ring 0's affair), 1 GB pages, RDTSCP,
 * PCID, SMEP, SMAP, INVPCID, x2APIC, SVM; and less what the engine executes wrongly or depends on the host: AVX and
 * all that needs XSAVE, RDRAND, RDSEED. FSGSBASE is hidden while the engine lets non-canonical bases through.
 * Facts: AMD64 APM volume 3, appendix E; xen/arch/x86/{cpuid,traps}.c and public/arch-x86/cpuid.h of Xen 4.17.
 */
#include "hvm/hvm.h"

#define BIT(n) (1u << (n))

enum {
    LEAF1_EAX = 0x00060fb1,      /* family 15, model 107, stepping 1 */
    LEAF1_CLFLUSH = 8 << 8,      /* 64-byte lines */
    /* SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT */
    LEAF1_ECX = 1 << 0 | 1 << 1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 22 | 1 << 23,
    /* FPU DE TSC MSR PAE CX8 APIC CMOV PAT CLFLUSH MMX FXSR SSE SSE2 */
    LEAF1_EDX = 1 << 0 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 9 | 1 << 15 | 1 << 16 | 1 << 19 | 1 << 23 |
                1 << 24 | 1 << 25 | 1 << 26,
    LEAF7_EBX = 1 << 3 | 1 << 8 | 1 << 9,        /* BMI1 BMI2 ERMS */
    LEAF8_ECX = 1 << 0 | 1 << 5 | 1 << 8,        /* LAHF, ABM, PREFETCHW */
    /* the common bits of leaf 1 once more; SYSCALL NX LM */
    LEAF8_EDX = (LEAF1_EDX & 0x0183f3ff & ~(1 << 19)) | 1 << 11 | 1 << 20 | 1 << 29,
    HYPERVISOR = 1u << 31,
};

enum { BASIC_LAST = 0xd, EXTENDED_FIRST = 0x80000000, EXTENDED_LAST = 0x80000008 };
enum { XEN_FIRST = 0x40000000, XEN_LAST = 0x40000005, XEN_VERSION_4_17 = 4 << 16 | 17 };
enum { XEN_FEAT1_PRESERVE_AD = 1, TSC_KHZ = 1000000 };

struct leaf { uint32_t number, out[4]; };

/* Leaves that are the same for every vcpu. Leaves not here, subleaves but 0 included, are zero. */
static const struct leaf LEAVES[] = {
    {0, {BASIC_LAST, 0x68747541, 0x444d4163, 0x69746e65}},                       /* "AuthenticAMD" */
    {7, {0, LEAF7_EBX, 0, 0}},
    {XEN_FIRST, {XEN_LAST, 0x566e6558, 0x65584d4d, 0x4d4d566e}},                 /* "XenVMMXenVMM" */
    {XEN_FIRST + 1, {XEN_VERSION_4_17, 0, 0, 0}},
    {XEN_FIRST + 2, {1, XEN_FIRST, XEN_FEAT1_PRESERVE_AD, 0}},                   /* one hypercall page, by MSR */
    {EXTENDED_FIRST, {EXTENDED_LAST, 0x68747541, 0x444d4163, 0x69746e65}},
    {EXTENDED_FIRST + 1, {LEAF1_EAX, 0, LEAF8_ECX, LEAF8_EDX}},
    {EXTENDED_FIRST + 2, {0x6c6e6578, 0x76206261, 0x75747269, 0x50206c61}},      /* "xenlab virtual P" */
    {EXTENDED_FIRST + 3, {0x65636f72, 0x726f7373, 0, 0}},                        /* "rocessor" */
    {EXTENDED_FIRST + 5, {0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140}},      /* 64 KiB L1 caches */
    {EXTENDED_FIRST + 6, {0, 0x42004200, 0x02008140, 0}},                        /* 512 KiB L2 */
    {EXTENDED_FIRST + 8, {48 << 8 | ENGINE_PHYSICAL_BITS, 0, 0, 0}},                               /* address widths */
};

/* 4.17's time leaf: how the TSC of the guest relates to system time. */
static void time_leaf(uint32_t subleaf, uint32_t out[4])
{
    static const uint32_t SUBLEAVES[3][4] = {
        {BIT(1), 0, TSC_KHZ, 0},              /* the host's TSC is safe to use; tsc_mode default */
        {0, 0, 0x80000000, 1},                /* offset; ns = tsc << 1 times 2^31 >> 32 */
        {TSC_KHZ, 0, 0, 0},
    };
    if (subleaf < 3)
        memcpy(out, SUBLEAVES[subleaf], sizeof SUBLEAVES[subleaf]);
}

static uint32_t machine_address_width(struct hv *hv)
{
    uint32_t bits = ENGINE_PAGE_SHIFT;
    for (uint64_t last = hv->s->frames - 1; last; last >>= 1)
        bits++;
    return bits;
}

void op_cpuid(void *ctx, struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    struct hv *hv = ctx;
    (void)cpu;
    memset(out, 0, 4 * sizeof out[0]);
    switch (leaf) {
    case 1:
        out[0] = LEAF1_EAX;
        out[1] = (uint32_t)hv->current->id * 2 << 24 | LEAF1_CLFLUSH;
        out[2] = LEAF1_ECX | HYPERVISOR;
        out[3] = LEAF1_EDX;
        return;
    case XEN_FIRST + 3:
        time_leaf(subleaf, out);
        return;
    case XEN_FIRST + 5:
        out[1] = machine_address_width(hv);
        return;
    default:
        for (unsigned i = 0; i < sizeof LEAVES / sizeof *LEAVES; i++)
            if (LEAVES[i].number == leaf && (subleaf == 0 || leaf != 7))
                memcpy(out, LEAVES[i].out, sizeof LEAVES[i].out);
    }
}

/* ---- HVM: ring 0 is the guest's, and it has a local APIC of its own ---- */

enum {
    /* PSE SEP PGE MTRR PSE36 MCE MCA; VME is not emulated */
    HVM_EDX = 1 << 3 | 1 << 7 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17,
    TSC_DEADLINE = 1 << 24,
    HVM_LEAF7_ECX = 1 << 2,           /* UMIP */
    HVM_LEAF8_EDX = (HVM_EDX & 0x0183f3ff) | 1 << 26 | 1 << 27,      /* 1 GB pages, RDTSCP */
    /* Leaf 0x40000004: the vcpu's number, the domain's */
    HVM_HAS_VCPU_ID = 1 << 3, HVM_HAS_DOMID = 1 << 4
};

void hvm_cpuid(void *ctx, struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    struct hv *hv = ctx;
    op_cpuid(ctx, cpu, leaf, subleaf, out);
    switch (leaf) {
    case 1:
        out[2] |= TSC_DEADLINE;
        out[3] |= HVM_EDX;
        if (!lapic_present(&hvm_vcpu_of(hv, hv->current)->lapic))
            out[3] &= ~(1u << 9);
        break;
    case 7:
        out[2] |= subleaf == 0 ? HVM_LEAF7_ECX : 0;
        break;
    case XEN_FIRST + 4:
        out[0] = HVM_HAS_VCPU_ID | HVM_HAS_DOMID;
        out[1] = hv->current->id;
        out[2] = hv->current->domid;
        break;
    case EXTENDED_FIRST + 1:
        out[3] |= HVM_LEAF8_EDX;
        break;
    default:
        break;
    }
}
