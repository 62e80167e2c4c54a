/* @title  over the ends of address spaces
 * @fact   effective addresses are as wide as the address size, and wrap: 32-bit ones in 64-bit code below 4 GiB, 16-bit ones
 *         within their 64 KiB; the stack pointer wraps in its width
 * @source Intel SDM vol. 1 3.3.7, 3.7.5, vol. 2 2.1.5 (tables 2-1, 2-2); AMD64 APM vol. 1, 2.2.3
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

/* Bytes that 16-bit addresses reach: in the first 64 KiB. */
enum { LOW = 0x6000 };

void test_main(void)
{
    volatile uint32_t *low = (uint32_t *)LOW;
    struct fault *f = fault_arm();
    uint32_t value = 0;

    __asm__("" : "+r"(low));
    low[0] = 0x600df00d;
#ifdef __x86_64__
    __asm__ volatile(FAULTING("movl 0x10(%%ebx), %0") : "=r"(value) : "b"((uint32_t)LOW - 0x10) : "memory");
    check_eq(value, 0x600df00d);
    __asm__ volatile(FAULTING("movl 0x10(%%ebx), %0") : "=r"(value) : "b"(0xffffffff00000000 | (LOW - 0x10)) : "memory");
    check_eq(value, 0x600df00d);                                 /* the upper half does not count */
    value = 0;
    __asm__ volatile(FAULTING("movl (%%ebx,%%ecx), %0") : "=r"(value) : "b"(0xfffffff0), "c"(LOW + 0x10) : "memory");
    check_eq(value, 0x600df00d);
    unsigned long si = 0xffffffff00000000 | LOW;
    __asm__ volatile("cld\n\t" FAULTING("addr32 lodsl") : "=a"(value), "+S"(si) : : "memory");
    check_eq(value, 0x600df00d);
    check_eq(si, LOW + 4);
    unsigned long count = 0xffffffff00000001;
    si = LOW;
    __asm__ volatile("cld\n\t" FAULTING("addr32 rep lodsl") : "=a"(value), "+S"(si), "+c"(count) : : "memory");
    check_eq(count, 0);
    unsigned long address;
    __asm__ volatile("leal 0x20(%%rbx), %k0" : "=r"(address) : "b"(0xfffffffffffffff0));
    check_eq(address, 0x10);
#else
    __asm__ volatile(FAULTING("movl 0x10(%%ebx), %0") : "=r"(value) : "b"(LOW + 0xfffffff0) : "memory");
    check_eq(value, 0x600df00d);
    value = 0;
    __asm__ volatile(FAULTING(".byte 0x67, 0x8b, 0x47, 0x10") : "=a"(value) : "b"(0xabcd0000 | (LOW - 0x10)) : "memory"); /* mov 0x10(%bx), %eax */
    check_eq(value, 0x600df00d);
    value = 0;
    __asm__ volatile(FAULTING(".byte 0x67, 0x8b, 0x00") : "=a"(value) : "b"(0xfff0), "S"(LOW + 0x10) : "memory");         /* mov (%bx,%si), %eax */
    check_eq(value, 0x600df00d);
    uint32_t si = 0xabcd0000 | LOW;
    __asm__ volatile("cld\n\t" FAULTING("addr16 lodsl") : "=a"(value), "+S"(si) : : "memory");
    check_eq(value, 0x600df00d);
    check_eq(si, 0xabcd0000 + LOW + 4);
    uint32_t count = 0xabcd0001;
    si = LOW;
    __asm__ volatile("cld\n\t" FAULTING("addr16 rep lodsl") : "=a"(value), "+S"(si), "+c"(count) : : "memory");
    check_eq(count, 0xabcd0000);
#endif
    check_no_fault(f);
}
