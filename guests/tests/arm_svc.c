/* @title  SVC
 * @fact   SVC is reported behind itself, with its number in the syndrome, from user mode and from the kernel; registers come
 *         back as the handler leaves them
 * @source Arm DDI 0487, D1.10.4, D17.2.37 (EC 0x15)
 * @env    arm64
 */
#include <guest.h>

static struct regs seen;
static unsigned calls;

static bool on_svc(struct regs *r)
{
    if ((r->esr & 0xffff) == 0)
        return false;                                   /* the library's own way back */
    seen = *r;
    calls++;
    r->x[0] += 1;
    r->x[17] = 0x1717;
    return true;
}

static unsigned long user(unsigned long x)
{
    register unsigned long x0 __asm__("x0") = x;
    register unsigned long x17 __asm__("x17") = 5;

    __asm__ volatile("svc #0xabcd" : "+r"(x0), "+r"(x17) : : "memory");
    return x0 << 16 | x17;
}

void test_main(void)
{
    trap_set_handler(EC_SVC64, on_svc);
    check_eq(user_call(user, 0x41), 0x421717);
    check_eq(calls, 1);
    check_eq(seen.esr, (uint64_t)EC_SVC64 << 26 | ESR_IL | 0xabcd);
    check_eq(seen.x[0], 0x41);
    check_eq(seen.x[17], 5);
    check_eq(seen.flags & 0x3cf, 0);                    /* EL0t, nothing masked */
    check_eq(seen.entry, 8);
    check_eq(*(const uint32_t *)(seen.ip - 4), 0xd4000001 | 0xabcd << 5);

    check_eq(user(9), 10 << 16 | 0x1717);
    check_eq(calls, 2);
    check_eq(seen.flags & 0xf, 5);                      /* EL1h */
    check_eq(seen.entry, 4);
}
