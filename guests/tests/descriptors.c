/* @title  GDT, LDT and descriptors
 * @fact   descriptor tables are checked frames: descriptors for CPL 3 load, everything else is refused or does not load,
 *         and a table cannot be writable
 * @source xen/arch/x86/pv/descriptor-tables.c; Intel SDM vol. 3A 3.4.5, 5.2.1
 * @env    pv64
 */
#include <guest.h>

#define DATA 0x00cff3000000ffffULL              /* DPL 3 data, flat */
#define DATA_DPL0 0x00cf93000000ffffULL
#define CODE 0x00affb000000ffffULL              /* DPL 3 code, 64-bit */
#define ABSENT 0x00cf73000000ffffULL
#define LDT_DESCRIPTOR 0x000082000000ffffULL
#define TSS_DESCRIPTOR 0x000089000000ffffULL
#define INTERRUPT_GATE 0x0000ee0000330000ULL

static void load(struct fault *f, unsigned selector)
{
    (void)f;
    fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%es") : : "r"(selector) : "memory");
}

static long access_rights(unsigned selector)
{
    unsigned rights = 0;
    bool ok;

    __asm__ volatile("lar %2, %0" : "=r"(rights), "=@ccz"(ok) : "r"(selector));
    return ok ? (long)rights : -1;
}

void test_main(void)
{
    struct fault *f = fault_arm();
    uint64_t *gdt = page_alloc(), *ldt = page_alloc();
    unsigned long frames[16] = { virt_to_mfn(gdt) };
    uint64_t where = virt_to_mfn(gdt) << PAGE_SHIFT;

    gdt[1] = DATA;
    gdt[2] = CODE;
    gdt[3] = ABSENT;
    gdt[4] = DATA_DPL0;

    check_eq(hcall(set_gdt, frames, 512), -XEN_EINVAL);              /* still writable */
    require_eq(page_readonly(gdt), 0);
    require_eq(hcall(set_gdt, frames, 512), 0);
    check(page_writable(gdt) < 0);

    load(f, 0x0b);
    check_no_fault(f);
    load(f, 0x1b);
    check_fault(f, X86_EXC_NP, 0x18);
    load(f, 0x2b);                                                   /* empty */
    check_fault(f, X86_EXC_GP, 0x28);
    check_eq(access_rights(0x0b) & 0xff00, 0xf300);
    /* The hypervisor raised the DPL of a descriptor that a guest could never have used. */
    check_eq(access_rights(0x23) & 0x6000, 0x6000);
    load(f, 0x23);
    check_no_fault(f);

    /* Updates, one by one. */
    check_eq(hcall(update_descriptor, where + 8 * 8, DATA), 0);
    load(f, 0x43);
    check_no_fault(f);
    check_eq(hcall(update_descriptor, where + 8 * 9, LDT_DESCRIPTOR), -XEN_EINVAL);
    check_eq(hcall(update_descriptor, where + 8 * 9, TSS_DESCRIPTOR), -XEN_EINVAL);
    check_eq(hcall(update_descriptor, where + 8 * 9, INTERRUPT_GATE), -XEN_EINVAL);
    check_eq(hcall(update_descriptor, where + 8 * 9 + 4, DATA), -XEN_EINVAL);
    check_eq(hcall(update_descriptor, 0x7ffffffUL << PAGE_SHIFT, DATA), -XEN_EINVAL);
    check_eq(gdt[9], 0);
    check_eq(hcall(update_descriptor, where + 8 * 9, DATA_DPL0), 0);
    check_eq(gdt[9] >> 45 & 3, 3);

    /* A segment with a base below 4 GiB and a limit. */
    unsigned limit = 0;

    check_eq(hcall(update_descriptor, where + 8 * 10, 0x0040f3100000ffffULL), 0);
    __asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(0x53) : "cc");
    check_eq(limit, 0xffff);

    /* A table of frames that are no memory of ours. */
    unsigned long bad[16] = { 0x7ffffff };

    check_eq(hcall(set_gdt, bad, 512), -XEN_EINVAL);
    check_eq(hcall(set_gdt, frames, FIRST_RESERVED_GDT_ENTRY + 1), -XEN_EINVAL);
    check_eq(hcall(set_gdt, 0x1000, 512), -XEN_EFAULT);
    load(f, 0x0b);
    check_no_fault(f);

    /* An LDT: at a linear address, read when it is used. */
    ldt[0] = DATA;
    ldt[1] = ABSENT;
    require_eq(page_readonly(ldt), 0);
    struct mmuext_op op = { .cmd = MMUEXT_SET_LDT };

    op.arg1.linear_addr = (unsigned long)ldt;
    op.arg2.nr_ents = 2;
    check_eq(hcall(mmuext_op, &op, 1, NULL, DOMID_SELF), 0);
    load(f, 0x07);
    check_no_fault(f);
    load(f, 0x0f);
    check_fault(f, X86_EXC_NP, 0x0c);
    load(f, 0x17);                                                   /* beyond the limit */
    check_fault(f, X86_EXC_GP, 0x14);
    op.arg1.linear_addr = (unsigned long)ldt + 8;
    check_eq(hcall(mmuext_op, &op, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    op.arg1.linear_addr = (unsigned long)ldt;
    op.arg2.nr_ents = 8193;
    check_eq(hcall(mmuext_op, &op, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    op.arg2.nr_ents = 0;
    check_eq(hcall(mmuext_op, &op, 1, NULL, DOMID_SELF), 0);
    load(f, 0);

    /* No table: its frame is free again. */
    check_eq(hcall(set_gdt, frames, 0), 0);
    check_eq(page_writable(gdt), 0);
    load(f, 0x0b);
    check_fault(f, X86_EXC_GP, 0x08);
}
