/* @title  SVC and BKPT in AArch32
 * @fact   SVC enters supervisor mode with the return address behind it, of A32 and of T32 code; BKPT is a prefetch abort at itself with
 *         the status of a debug event; a return goes on in the state that SPSR says, and other modes have stack pointers of their own
 * @source Arm DDI 0406C, B1.9.6 (Supervisor Call), C3.2 (BKPT), B4.1.82 (IFSR), B1.3.2
 * @env    arm32
 */
#include <guest.h>

enum { MODE = 0x1f, USER = 0x10, SVC = 0x13, THUMB = 0x20, DEBUG_EVENT = 0x22 };

static struct regs seen;
static unsigned calls;

static bool on_svc(struct regs *r)
{
    uint32_t number = r->flags & THUMB ? *(const uint16_t *)(r->ip - 2) & 0xffu : *(const uint32_t *)(r->ip - 4) & 0xffffffu;

    if (number == 0)
        return false;                                   /* the library's own way back */
    seen = *r;
    calls++;
    r->r[0] = number;
    return true;
}

static unsigned long user(unsigned long x)
{
    register unsigned long r0 __asm__("r0") = x;

    __asm__ volatile("svc #0x123456" : "+r"(r0) : : "memory", "lr");
    return r0;
}

/* adds r0, #1; svc #0x7b; bx lr */
static const uint16_t thumb[] __attribute__((aligned(4))) = { 0x3001, 0xdf7b, 0x4770 };

static unsigned long user_thumb(unsigned long x)
{
    return ((unsigned long (*)(unsigned long))((unsigned long)thumb | 1))(x);
}

static unsigned long user_bkpt(unsigned long x)
{
    __asm__ volatile("bkpt #0x1234");
    return x;
}

void test_main(void)
{
    uint32_t irq_sp, abt_sp;
    struct fault *f;

    trap_set_handler(EC_SVC32, on_svc);
    check_eq(user_call(user, 5), 0x123456);
    check_eq(calls, 1);
    check_eq(seen.flags & MODE, USER);
    check_eq(seen.r[0], 5);
    check_eq(*(const uint32_t *)(seen.ip - 4), 0xef123456);
    check_eq(user_call(user_thumb, 5), 0x7b);
    check_eq(calls, 2);
    check_eq(seen.flags & THUMB, THUMB);
    check_eq(seen.ip, (unsigned long)thumb + 4);
    check_eq(seen.r[0], 6);
    check_eq(user(7), 0x123456);                        /* from supervisor mode, whose link register is lost */
    check_eq(seen.flags & MODE, SVC);
    trap_set_handler(EC_SVC32, NULL);

    f = fault_arm();
    __asm__ volatile(FAULTING("bkpt #1") : : : "memory");
    check_fault(f, EC_BKPT32, DEBUG_EVENT);
    check_eq(*(const uint32_t *)f->ip, 0xe1200071);
    f = fault_arm();
    user_call(user_bkpt, 0);
    check_fault(f, EC_BKPT32, DEBUG_EVENT);
    check_eq(f->flags & MODE, USER);

    __asm__ volatile("cpsid aif, #0x12\n\tmov sp, #0x5000\n\tcpsid aif, #0x17\n\tmov sp, #0x6000\n\tcpsid aif, #0x12\n\tmov %0, sp\n\t"
                     "cpsid aif, #0x17\n\tmov %1, sp\n\tcpsid aif, #0x13" : "=&r"(irq_sp), "=&r"(abt_sp) : : "memory");
    irq_enable();
    check_eq(irq_sp, 0x5000);
    check_eq(abt_sp, 0x6000);
}
