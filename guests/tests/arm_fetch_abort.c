/* @title  instruction aborts
 * @fact   code that is not mapped, or may not be executed, is reported at its own address, for the kernel and user mode apart
 * @source Arm DDI 0487, D8.4, D17.2.37 (EC 0x20, 0x21); DDI 0406C, B3.7.2, B4.1.82
 * @env    arm64 arm32
 */
#include <guest.h>

#ifdef __aarch64__
static const uint32_t code[] = { 0x91000400, 0xd65f03c0 };      /* add x0, x0, #1; ret */
#else
static const uint32_t code[] = { 0xe2800001, 0xe12fff1e };      /* add r0, r0, #1; bx lr */
#endif
static void *page;

static void run(void *p) { ((unsigned long (*)(unsigned long))p)(1); }

/* Execute the page with this entry: what the kernel and user mode get, 0: nothing but a result. */
static void faults(uint64_t entry, unsigned kernel, unsigned user)
{
    uint64_t old = pt_set(page, entry);
    struct fault *f = fault_arm();

    fault_probe(run, page);
    if (kernel) {
        check_fault(f, EC_IABT, kernel);
        check_eq(f->far, page);
        check_eq(f->ip, page);
    } else {
        check_no_fault(f);
    }
    f = fault_arm();
    unsigned long result = user_call((unsigned long (*)(unsigned long))page, 41);

    if (user) {
        check_fault(f, EC_IABT_USER, user);
        check_eq(f->far, page);
    } else {
        check_no_fault(f);
        check_eq(result, 42);
    }
    pt_set(page, old);
}

void test_main(void)
{
    enum { TRANSLATION = FSC_TRANSLATION | 3, PERMISSION = FSC_PERMISSION | 3, FLAG = FSC_ACCESS_FLAG | 3 };

    page = page_alloc();
    memcpy(page, code, sizeof(code));
    arch_sync_code(page);
    uint64_t whole = (*pt_entry(page, 3) & ~PTE_NEVER) | PTE_READONLY;

    faults(whole, 0, 0);
    faults(0, TRANSLATION, TRANSLATION);
    faults(whole & ~(uint64_t)PTE_AF, FLAG, FLAG);
    faults(whole | PTE_PRIVILEGED_XN, PERMISSION, 0);
    faults(whole | PTE_NEVER, PERMISSION, PERMISSION);
#ifdef __aarch64__
    faults((whole | PTE_NEVER) & ~PTE_PRIVILEGED_XN, 0, PERMISSION);       /* UXN is user mode's alone */
#else
    faults((whole | PTE_NEVER) & ~PTE_PRIVILEGED_XN, PERMISSION, PERMISSION);       /* XN is everybody's */
#endif
    /* What user mode may write, AArch64's kernel never executes. */
#ifdef __aarch64__
    faults(whole & ~(uint64_t)PTE_READONLY, PERMISSION, 0);
#else
    faults(whole & ~(uint64_t)PTE_READONLY, 0, 0);
#endif
#ifdef __aarch64__
    faults(whole & ~(uint64_t)PTE_ALL, 0, 0);           /* user mode may execute what it may not read */
#else
    faults(whole & ~(uint64_t)PTE_ALL, 0, PERMISSION);
#endif
}
