/* @title  hypercalls on ARM
 * @fact   a hypercall changes its result register and no other; numbers that are none, and HVC with another tag, are told apart
 * @source xen/include/public/arch-arm.h; xen/arch/arm/traps.c (do_trap_hypercall, do_trap_hvc_smccc)
 * @env    arm64
 */
#include <guest.h>

static uint64_t before[31], after[31];

static void all_registers(uint64_t number)
{
    for (unsigned i = 0; i < 31; i++)
        before[i] = 0x1111111111111111ULL * (i % 15 + 1) + i;
    before[0] = 0;                                      /* XENVER_version */
    before[1] = 0;
    before[16] = number;
    __asm__ volatile(
        "stp x29, x30, [sp, #-16]!\n\tstp x18, x19, [sp, #-16]!\n\tstr %1, [sp, #-16]!\n\tmov x30, %0\n\t"
        "ldp x0, x1, [x30]\n\tldp x2, x3, [x30, #16]\n\tldp x4, x5, [x30, #32]\n\tldp x6, x7, [x30, #48]\n\t"
        "ldp x8, x9, [x30, #64]\n\tldp x10, x11, [x30, #80]\n\tldp x12, x13, [x30, #96]\n\tldp x14, x15, [x30, #112]\n\t"
        "ldp x16, x17, [x30, #128]\n\tldp x18, x19, [x30, #144]\n\tldp x20, x21, [x30, #160]\n\tldp x22, x23, [x30, #176]\n\t"
        "ldp x24, x25, [x30, #192]\n\tldp x26, x27, [x30, #208]\n\tldp x28, x29, [x30, #224]\n\tldr x30, [x30, #240]\n\t"
        "hvc #0xea1\n\t"
        "str x30, [sp, #-16]!\n\tldr x30, [sp, #16]\n\t"
        "stp x0, x1, [x30]\n\tstp x2, x3, [x30, #16]\n\tstp x4, x5, [x30, #32]\n\tstp x6, x7, [x30, #48]\n\t"
        "stp x8, x9, [x30, #64]\n\tstp x10, x11, [x30, #80]\n\tstp x12, x13, [x30, #96]\n\tstp x14, x15, [x30, #112]\n\t"
        "stp x16, x17, [x30, #128]\n\tstp x18, x19, [x30, #144]\n\tstp x20, x21, [x30, #160]\n\tstp x22, x23, [x30, #176]\n\t"
        "stp x24, x25, [x30, #192]\n\tstp x26, x27, [x30, #208]\n\tstp x28, x29, [x30, #224]\n\tldr x0, [sp], #16\n\t"
        "str x0, [x30, #240]\n\tadd sp, sp, #16\n\tldp x18, x19, [sp], #16\n\tldp x29, x30, [sp], #16"
        : : "r"(before), "r"(after)
        : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
          "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "memory", "cc");
}

static unsigned long user(unsigned long x)
{
    __asm__ volatile("hvc #0xea1");
    return x;
}

void test_main(void)
{
    all_registers(__HYPERVISOR_xen_version);
    check_eq(after[0], 4 << 16 | 17);
    for (unsigned i = 1; i < 31; i++)
        if (i < 17 ? i > 4 && i != 16 : true)
            check_eq(after[i], before[i]);
    all_registers(63);
    check_eq((int64_t)after[0], -XEN_ENOSYS);
    check_eq(hcall_number(0x12345, 0, 0), -XEN_ENOSYS);

    /* User mode has no HVC. */
    struct fault *f = fault_arm();

    user_call(user, 0);
    check_fault_iss(f, EC_UNKNOWN, 0);
}
