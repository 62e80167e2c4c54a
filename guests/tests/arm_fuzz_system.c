/* @title  system registers under a guest that tries them all
 * @fact   any MRS, MSR, SYS and SYSL (MRC and MCR of coprocessors 14 and 15) does what the register does, or is an exception of
 *         this vcpu at that instruction; the guest goes on, its clock too
 * @source Arm DDI 0487, C5.1; DDI 0406C, B3.15 and C11
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
#else
#define RETURN 0xe12fff1eu
enum { OP1 = 21, CRN = 16, COPROCESSOR = 8, OP2 = 5, CRM = 0, READ = 1 << 20 };

static uint32_t any_encoding(void)
{
    uint32_t fields = (uint32_t)random_next(&rng) & 0x00ff00ef;

    return 0xee000010u | fields | (random_below(&rng, 4) ? 15u : 14u) << COPROCESSOR;
}

static bool is_vital(uint32_t insn)
{
    unsigned crn = insn >> CRN & 15;

    return (insn >> COPROCESSOR & 15) == 15 && (crn <= 3 || crn == 10 || crn == 12 || crn == 13);
}

static bool is_left_out(uint32_t insn) { return false; }
#endif

static unsigned long value;

static void execute(void *unused)
{
    (void)unused;
    value = ((unsigned long (*)(unsigned long))(unsigned long)code)(value);
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
        value = random_below(&rng, 2) ? (unsigned long)line : (unsigned long)random_next(&rng);
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
