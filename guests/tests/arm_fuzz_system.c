/* @title  system registers under a guest that tries them all
 * @fact   any MRS, MSR, SYS and SYSL (MRC, MCR, MRRC, MCRR, CDP, LDC and STC of every coprocessor, VFP and NEON) does what the
 *         register does, or is an exception of this vcpu at that instruction; the guest goes on, its clock too
 * @source Arm DDI 0487, C5.1; DDI 0406C, A5.6, A7, B3.15 and C11
 * @env    arm64 arm32
 * @cmdline seed=1 count=4000
 */
#include <guest.h>
#include <random.h>

static struct random rng;
static uint32_t *code;
static char line[PAGE_SIZE] __attribute__((aligned(4096)));

/* What this very guest lives by is written back as it was read. */
#ifdef __aarch64__
#define RETURN 0xd65f03c0u
enum { OP0 = 19, OP1 = 16, CRN = 12, CRM = 8, OP2 = 5, READ = 1 << 21 };

static uint32_t any_encoding(void)
{
    uint32_t fields = (uint32_t)random_next(&rng) & 0x3fffe0;

    if (random_below(&rng, 2))          /* op0 3, op1 0 or 3: where registers are */
        fields = (fields & ~(7u << OP1)) | 3u << OP0 | (random_below(&rng, 2) ? 3u : 0u) << OP1;
    return 0xd5000000u | fields;
}

static bool is_vital(uint32_t insn)
{
    unsigned op0 = insn >> OP0 & 3, op1 = insn >> OP1 & 7, crn = insn >> CRN & 15, crm = insn >> CRM & 15;

    return op0 == 3 && (op1 == 0 || op1 == 3) && (crn <= 2 || crn == 4 || crn == 10 || (crn == 12 && crm < 8) || crn == 13);
}

/* WFI and its kin wait, and MSR of an immediate changes the stack pointer and what is masked. */
static bool is_left_out(uint32_t insn) { return (insn >> OP0 & 3) == 0 && (insn >> CRN & 15) != 3; }
static bool is_of_memory(uint32_t insn) { return false; }
static void use_vectors(void) {}
#else
#define RETURN 0xe12fff1eu
enum { OP1 = 21, CRN = 16, COPROCESSOR = 8, OP2 = 5, CRM = 0, READ = 1 << 20, UP = 1 << 23, PRE_UP_BACK = 1 << 24 | UP | 1 << 21 };

/* The processor's registers in it are r0, and r1 where there are two. */
static uint32_t any_encoding(void)
{
    uint32_t r = (uint32_t)random_next(&rng);
    uint32_t system = (random_below(&rng, 4) ? 15u : 14u) << COPROCESSOR;

    switch (random_below(&rng, 12)) {
    case 0: return 0xec410000u | (r & (READ | 0xff)) | system;                          /* MCRR, MRRC */
    case 1: return 0xec410000u | (r & (READ | 0xfff));                                  /* of any: VMOV too */
    case 2: return 0xee000000u | (r & 0x00ffffef);                                      /* CDP, arithmetic of VFP */
    case 3: r &= 0x01f0ffff; return 0xec000000u | r | (r & PRE_UP_BACK ? 0 : UP);       /* LDC, STC, VLDM, VSTM */
    case 4: return 0xee000a10u | (r & 0x00ff01ef);                                      /* VMOV, VMRS, VMSR */
    case 5: return 0xf2000000u | (r & 0x01ffffff);                                      /* NEON */
    case 6: return 0xf4000000u | (r & 0x00e0ffff);                                      /* VLD, VST */
    default: return 0xee000010u | (r & 0x00ff00ef) | system;                            /* MCR, MRC */
    }
}

static bool is_vital(uint32_t insn)
{
    unsigned crn = insn >> CRN & 15;

    if ((insn >> COPROCESSOR & 15) != 15)
        return false;
    if ((insn & 0x0fe00000) == 0x0c400000)
        return (insn & 15) == 2;                /* TTBR0 and TTBR1 of 64 bits */
    return (insn & 0x0f000010) == 0x0e000010 && (crn <= 3 || crn == 10 || crn == 12 || crn == 13);
}

static bool is_of_memory(uint32_t insn)
{
    return insn >> 24 == 0xf4 || ((insn & 0xfe000000) == 0xec000000 && (insn & 0x0fe00000) != 0x0c400000);
}

static bool is_left_out(uint32_t insn) { return false; }

static void use_vectors(void)
{
    register unsigned long fpexc __asm__("r0") = 1 << 30;

    __asm__ volatile("mcr p15, 0, %0, c1, c0, 2" : : "r"(0xf << 20));
    __asm__ volatile("isb\n\t.inst 0xeee80a10" : : "r"(fpexc));            /* VMSR FPEXC, r0 */
}
#endif

static uint64_t value;

static void execute(void *unused)
{
    (void)unused;
    value = ((uint64_t (*)(uint64_t))(unsigned long)code)(value);
}

static bool attempt(uint32_t insn)
{
    code[0] = insn;
    code_written(code, 8);
    struct fault *f = fault_arm();
    bool done = fault_probe(execute, NULL);

    if (!done && f->ip != (unsigned long)code)
        fail("%x: exception %x at %lx", insn, f->vector, f->ip);
    return done;
}

void test_main(void)
{
    uint64_t count = guest_option("count", 4000), before = clock_ns(), done = 0, refused = 0;

    rng.state = guest_option("seed", 1);
    code = (uint32_t *)page_alloc();
    code_allow(code);
    code[1] = RETURN;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t insn = any_encoding();

        if (is_left_out(insn))
            continue;
        value = random_below(&rng, 2) || is_of_memory(insn) ? (unsigned long)(line + sizeof(line) / 2) : random_next(&rng);
        if (i % 64 == 0)
            use_vectors();
        if (!(insn & READ) && is_vital(insn) && !attempt(insn | READ)) {
            refused++;
            continue;
        }
        if (attempt(insn))
            done++;
        else
            refused++;
    }
    check(clock_ns() > before);
    check(done > count / 400);
    check(refused > count / 10);
}
