/* @title  AArch32 user code under an AArch64 kernel
 * @fact   exceptions of AArch32 code at EL0 come to AArch64's vectors with the classes that AArch32 instructions have, the length of
 *         the instruction in ESR.IL, r0 to r14 in X0 to X14, and the CPSR in SPSR_EL1; a return goes on in the state that it says
 * @source Arm DDI 0487, "Mapping of the general-purpose registers between the Execution states", ESR_EL1 (EC 0x03, 0x04, 0x07, 0x11,
 *         0x20, 0x24, 0x38)
 * @env    arm64
 */
#include <guest.h>

enum { A32 = 0x10, T32 = 0x30, BAD = 0x20000000, ENTRY_LOWER_32 = 12 };          /* BAD: the kernel's alone, a block */

static uint32_t *page;
static struct regs seen;
static unsigned flags;

static bool see(struct regs *r)
{
    seen = *r;
    return false;                                       /* nobody handles it: the call ends */
}

static bool see_svc_once(struct regs *r)
{
    seen = *r;
    r->x[0] = 0x77;
    trap_set_handler(EC_SVC32, see);
    return true;
}

static void enter(void *arg)
{
    (void)arg;
    user_enter((unsigned long)page, (unsigned long)page + 2048, BAD, flags);
}

/* Run these words from r0 = BAD on; what ends them. */
static struct fault *run(unsigned state, const uint32_t *words, unsigned count)
{
    memcpy(page, words, count * sizeof(*words));
    arch_sync_code(page);
    flags = state;
    struct fault *f = fault_arm();

    check(!fault_probe(enter, NULL));
    return f;
}
#define RUN(state, ...) run(state, (const uint32_t[]){ __VA_ARGS__ }, ARRAY_SIZE(((uint32_t[]){ __VA_ARGS__ })))

static void at(const struct fault *f, unsigned offset, unsigned state)
{
    check_eq(f->ip, (unsigned long)page + offset);
    check_eq(f->flags & 0x3f, state);
}

void test_main(void)
{
    enum { CNTKCTL_EL0 = 3 };
    struct fault *f;

    page = page_alloc();
    pt_set(page, *pt_entry(page, 3) & ~PTE_NEVER);
    trap_set_handler(EC_SVC32, see);

    f = RUN(A32, 0xe3a0d013, 0xe3a0e014, 0xe3a0c012, 0xef001234);       /* mov sp, #19; mov lr, #20; mov ip, #18; svc */
    check_fault_iss(f, EC_SVC32, 0x1234);
    check(f->esr & ESR_IL);
    at(f, 16, A32);
    check_eq(seen.entry, ENTRY_LOWER_32);
    check_eq(seen.x[0], BAD);
    check_eq(seen.x[12], 18);
    check_eq(seen.x[13], 19);
    check_eq(seen.x[14], 20);

    /* And back, behind it, with what the handler left. */
    trap_set_handler(EC_SVC32, see_svc_once);
    f = RUN(A32, 0xef000001, 0xe2801001, 0xef000002);                   /* svc; add r1, r0, #1; svc */
    check_eq(f->count, 1);
    check_eq(seen.x[0], 0x77);
    check_eq(seen.x[1], 0x78);

    f = RUN(T32, 0xbf00df07);                                           /* svc #7, of two bytes */
    check_fault_iss(f, EC_SVC32, 7);
    check(!(f->esr & ESR_IL));
    at(f, 2, T32);

    f = RUN(A32, 0xe5901004);                                           /* ldr r1, [r0, #4] */
    check_fault(f, EC_DABT_USER, FSC_PERMISSION | 2);
    check_eq(f->far, BAD + 4);
    at(f, 0, A32);
    f = RUN(A32, 0xe2800002, 0xe59f2004, 0xe5802000, 0xe320f000, 7);    /* str r2, [r0 + 2] */
    check_fault(f, EC_DABT_USER, FSC_PERMISSION | 2);
    check(f->esr & ISS_WNR);
    f = RUN(A32, 0xe28f0001, 0xe8900006);                               /* add r0, pc, #1; ldm r0, {r1, r2} */
    check_fault(f, EC_DABT_USER, FSC_ALIGNMENT);
    check_eq(f->far, (unsigned long)page + 9);
    f = RUN(A32, 0xe12fff10);                                           /* bx r0 */
    check_fault(f, EC_IABT_USER, FSC_PERMISSION | 2);
    check_eq(f->far, BAD);
    check_eq(f->ip, BAD);

    f = RUN(A32, 0xe7f000f0);                                           /* udf #0 */
    check_fault_iss(f, EC_UNKNOWN, 0);
    at(f, 0, A32);
    f = RUN(T32, 0xde00);
    check_fault_iss(f, EC_UNKNOWN, 0);
    at(f, 0, T32);
    f = RUN(A32, 0xe1200075);                                           /* bkpt #5 */
    check_fault_iss(f, EC_BKPT32, 5);
    at(f, 0, A32);

    /* Registers of the timer, and floating point, which control registers take from EL0. */
    sysreg_write(cntkctl_el1, 0);
    f = RUN(A32, 0xec510f1e);                                           /* mrrc p15, 1, r0, r1, c14 */
    check_fault_iss(f, EC_CP15_64, 1 << 24 | 0xe << 20 | 1 << 16 | 1 << 10 | 14 << 1 | 1);
    f = RUN(A32, 0xee1e0f10);                                           /* mrc p15, 0, r0, c14, c0, 0 */
    check_fault_iss(f, EC_CP15_32, 1 << 24 | 0xe << 20 | 14 << 10 | 1);
    sysreg_write(cntkctl_el1, CNTKCTL_EL0);
    f = RUN(A32, 0xec510f1e, 0xee1e0f10, 0xef000003);
    check_fault_iss(f, EC_SVC32, 3);
    uint64_t cpacr = sysreg_read(cpacr_el1);

    sysreg_write(cpacr_el1, 1 << 20);
    f = RUN(A32, 0xeeb00b41);                                           /* vmov.f64 d0, d1 */
    check_eq(f->vector, EC_FP);
    sysreg_write(cpacr_el1, cpacr);
}
