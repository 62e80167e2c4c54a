/* @title  page faults bounced to the guest
 * @fact   (benchmark) n times: fault, a handler of the guest's skips the instruction, iret hypercall
 * @source xen/arch/x86/pv/traps.c (bounce frames), xen/include/public/arch-x86/xen-x86_64.h (iret_context)
 * @env    pv64
 */
#include <guest.h>
#include <traps.h>

/* rcx, r11, error code, rip, cs, rflags, rsp, ss: skip the two bytes of the load and go back. */
__asm__(".text\n"
        "fault_entry:\n\t"
        "pop %rcx\n\t"
        "pop %r11\n\t"
        "add $8, %rsp\n\t"
        "addq $2, (%rsp)\n\t"
        "push $0\n\t"
        "push %rcx\n\t"
        "push %r11\n\t"
        "push %rax\n\t"
        "mov $23, %eax\n\t"
        "syscall\n");
extern char fault_entry[];

void test_main(void)
{
    struct trap_info table[2] = {{.vector = 14, .flags = 0, .cs = FLAT_KERNEL_CS, .address = (unsigned long)fault_entry}};

    require_eq(hcall(set_trap_table, table), 0);
    for (uint64_t n = guest_option("n", 1000); n > 0; n--)
        __asm__ volatile("mov (%0), %%al" : : "r"(0x1000UL) : "rax", "rcx", "r11", "memory");
}
