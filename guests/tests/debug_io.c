/* @title  I/O breakpoints and string I/O
 * @fact   with CR4.DE a breakpoint on ports traps behind the access; ins and outs go through memory, count down, and
 *         fault where the memory is not there with the registers of what was done
 * @source Intel SDM vol. 3B 17.2.4; xen/arch/x86/pv/emul-priv-op.c (check_guest_io_breakpoint, rep_ins, rep_outs)
 * @env    pv64
 */
#include <guest.h>
#include <abi/physdev.h>

enum { PORT = 0x5f00, DR7_IO_2 = 1 << 4 | 2 << 24 | 1 << 26 };  /* L2, I/O, 2 ports */

static unsigned char area[3 * 4096] __attribute__((aligned(4096)));

static void write_cr4(unsigned long value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

/* rep ins of `size` bytes: what is left of the count; *end is where it stopped. */
static unsigned long rep_ins(void *to, unsigned long count, bool down, unsigned char **end)
{
    fault_arm();
    if (down)
        __asm__ volatile("std\n\t" FAULTING("rep insb") "cld" : "+c"(count), "+D"(to) : "d"(PORT) : "memory", "cc");
    else
        __asm__ volatile(FAULTING("rep insb") : "+c"(count), "+D"(to) : "d"(PORT) : "memory", "cc");
    *end = to;
    return count;
}

static void breakpoints(struct fault *f, unsigned long cr4)
{
    check_eq(hcall(set_debugreg, 2, PORT + 2), 0);
    check_eq(hcall(set_debugreg, 7, DR7_IO_2), -XEN_EPERM);
    write_cr4(cr4 | X86_CR4_DE);
    check_eq(hcall(set_debugreg, 7, DR7_IO_2), 0);
    check_eq(hcall(set_debugreg, 6, 0), 0);
    fault_arm();
    __asm__ volatile(FAULTING("inb %%dx, %%al") : : "d"(PORT + 1) : "rax", "memory");
    __asm__ volatile(FAULTING("outb %%al, %%dx") : : "d"(PORT + 4) : "rax", "memory");
    check_no_fault(f);
    __asm__ volatile(FAULTING("inl %%dx, %%eax") : : "d"(PORT) : "rax", "memory");
    check_fault(f, X86_EXC_DB, 0);
    check(f->behind);
    check_eq(hcall(get_debugreg, 6) & 0xf, 4);
    fault_arm();
    __asm__ volatile(FAULTING("outw %%ax, %%dx") : : "d"(PORT + 3) : "rax", "memory");
    check_fault(f, X86_EXC_DB, 0);
    check_eq(hcall(set_debugreg, 7, 0), 0);
    write_cr4(cr4);
}

static void strings(struct fault *f)
{
    unsigned char *end;

    check_eq(rep_ins(area + 5, 4000, false, &end), 0);
    check_no_fault(f);
    check_eq((unsigned long)end, (unsigned long)area + 4005);
    check_eq(area[4], 0);
    check_eq(area[5] & area[4004], 0xff);
    check_eq(area[4005], 0);
    check_eq(rep_ins(area + 4999, 10, true, &end), 0);
    check_eq((unsigned long)end, (unsigned long)area + 4989);
    check_eq(area[4999] & area[4990], 0xff);
    check_eq(area[4989] | area[5000], 0);

    /* The third page is not there. */
    check_eq(hcall(update_va_mapping, area + 8192, 0, UVMF_INVLPG), 0);
    check_eq(rep_ins(area + 8192 - 700, 1000, false, &end), 300);
    check_fault(f, X86_EXC_PF, PFEC_write_access);
    check_eq(f->address, (unsigned long)area + 8192);
    check_eq((unsigned long)end, (unsigned long)area + 8192);

    unsigned long count = 3;
    void *from = area + 8192 - 8;

    fault_arm();
    __asm__ volatile(FAULTING("rep outsl") : "+c"(count), "+S"(from) : "d"(PORT) : "memory");
    check_fault(f, X86_EXC_PF, 0);
    check_eq(count, 1);
}

void test_main(void)
{
    struct fault *f = fault_arm();
    struct physdev_set_iopl iopl = { .iopl = 1 };
    unsigned long cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    check_eq(hcall(physdev_op, PHYSDEVOP_set_iopl, &iopl), 0);
    breakpoints(f, cr4);
    strings(f);
}
