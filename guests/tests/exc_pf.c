/* @title  #PF
 * @fact   page faults carry the right error code and address: present, write, fetch; guest kernel and guest user
 * @source Intel SDM vol. 3A 4.7; xen/arch/x86/pv/traps.c (the user bit is that of the guest's mode, not of CPL)
 * @env    pv64
 */
#include <guest.h>

static char page[4096] __attribute__((aligned(4096)));
#define NOWHERE ((char *)0x0000100000001234)

static void jump(void *to)
{
    ((void (*)(void))to)();
}

static unsigned long user_read(unsigned long address)
{
    return *(volatile unsigned char *)address;
}

static unsigned long user_write(unsigned long address)
{
    *(volatile char *)address = 1;
    return 0;
}

static void read_at(const char *p, unsigned error)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("movb (%0), %%al") : : "r"(p) : "rax", "memory");
    check_fault(f, X86_EXC_PF, error);
    check_eq(f->address, (unsigned long)p);
    check(!f->behind);
}

static void write_at(char *p, unsigned error)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("movb $1, (%0)") : : "r"(p) : "memory");
    check_fault(f, X86_EXC_PF, error);
    check_eq(f->address, (unsigned long)p);
}

static void fetch_at(char *p, unsigned error)
{
    struct fault *f = fault_arm();

    check(!fault_probe(jump, p));
    check_fault(f, X86_EXC_PF, error);
    check_eq(f->address, (unsigned long)p);
    check_eq(f->ip, (unsigned long)p);
}

void test_main(void)
{
    uint64_t mfn = virt_to_mfn(page);
    struct fault *f;

    read_at(NOWHERE, 0);
    write_at(NOWHERE, PFEC_write_access);
    fetch_at(NOWHERE, PFEC_insn_fetch);

    /* Present, but read-only. */
    page[0x123] = 7;
    require_eq(pt_set(page, pte_make(mfn, PTE_P | PTE_US | PTE_A)), 0);
    write_at(page + 0x123, PFEC_page_present | PFEC_write_access);
    check_eq(page[0x123], 7);

    /* Present, but not executable. */
    require_eq(pt_set(page, pte_make(mfn, PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D | PTE_NX)), 0);
    fetch_at(page + 0x40, PFEC_page_present | PFEC_insn_fetch);

    /* Not present, then present again: no stale translation either way. */
    require_eq(pt_set(page, 0), 0);
    read_at(page, 0);
    require_eq(page_writable(page), 0);
    check_eq(page[0x123], 7);

    /* The same from guest user mode. */
    f = fault_arm();
    user_call(user_read, (unsigned long)NOWHERE);
    check_fault(f, X86_EXC_PF, PFEC_user_mode);
    check_eq(f->address, (unsigned long)NOWHERE);
    f = fault_arm();
    require_eq(page_readonly(page), 0);
    user_call(user_write, (unsigned long)page);
    check_fault(f, X86_EXC_PF, PFEC_user_mode | PFEC_write_access | PFEC_page_present);

    /* Not accessible from user mode at all: the hypervisor's own range. */
    f = fault_arm();
    user_call(user_read, HYPERVISOR_VIRT_END - 8);
    check(f->count == 1 && f->vector == X86_EXC_PF);
    check_eq(f->address, HYPERVISOR_VIRT_END - 8);

    /* An access over a page boundary names the byte that faults. */
    require_eq(page_writable(page), 0);
    char *end = (char *)guest_start_info()->pt_base;   /* read-only from here on */

    f = fault_arm();
    __asm__ volatile(FAULTING("movq $1, (%0)") : : "r"(end - 3) : "memory");
    check(f->count == 1 && f->vector == X86_EXC_PF);
    check_eq(f->error, PFEC_page_present | PFEC_write_access);
    check_eq(f->address, (unsigned long)end);
}
