/* @title  32-bit user mode
 * @fact   32-bit code under a 64-bit kernel: SYSCALL takes the syscall32 callback where there is one, int 0x80, into and
 *         page faults arrive with the flat 32-bit cs, and the iret hypercall goes back to it
 * @source xen/include/public/callback.h (CALLBACKTYPE_syscall32), arch-x86/xen-x86_64.h (FLAT_USER_CS32);
 *         xen/arch/x86/x86_64/entry.S
 * @env    pv64
 */
#include <guest.h>
#include <abi/callback.h>

#define CODE 0x10000UL
#define NOWHERE 0x30000000UL
#define RW (PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D)

static const unsigned char program[] = {
    [0x00] = 0xb8, 0x78, 0x56, 0x34, 0x12, 0x0f, 0x05,          /* mov $0x12345678, %eax; syscall */
    [0x10] = 0xb8, 0x11, 0x11, 0x11, 0x11, 0xcd, 0x80,          /* mov $0x11111111, %eax; int $0x80 */
    [0x17] = 0xb0, 0x7f, 0x04, 0x01, 0xce,                      /* mov $0x7f, %al; add $1, %al; into */
    [0x1c] = 0xa1, 0x00, 0x00, 0x00, 0x30,                      /* mov 0x30000000, %eax */
    [0x21] = 0xb8, 0x99, 0x99, 0x00, 0x00, 0x0f, 0x05,          /* mov $0x9999, %eax; syscall */
};

static unsigned long stack_of_64;
static struct regs seen[5];
static unsigned count, masked;

static unsigned long go(unsigned long entry)
{
    __asm__ volatile("push %%rbx\n\tpush %%rbp\n\tmov %%rsp, %0\n\tpush %1\n\tpush %2\n\tlretq"
                     : "=m"(stack_of_64) : "r"((unsigned long)FLAT_USER_CS32), "r"(entry) : "memory");
    return 0;
}

static void note(struct regs *regs)
{
    if (count < ARRAY_SIZE(seen))
        seen[count] = *regs;
    count++;
}

static bool on_syscall(struct regs *regs)
{
    if (regs->ax != 0x12345678 && regs->ax != 0x9999)
        return false;
    note(regs);
    masked += guest_vcpu_info()->evtchn_upcall_mask;
    if (regs->ax == 0x9999) {                                   /* back to 64-bit code, and out of user mode */
        regs->cs = FLAT_USER_CS;
        regs->sp = stack_of_64 + 2 * sizeof(long);
        regs->ip = (unsigned long)user_return;
        regs->ax = 0x4242;
    } else {
        regs->ip = CODE + 0x10;
    }
    return true;
}

static bool on_trap(struct regs *regs)
{
    note(regs);
    return true;
}

static bool on_fault(struct regs *regs)
{
    if (regs->ip != CODE + 0x1c)
        return false;
    note(regs);
    regs->ip = CODE + 0x21;
    return true;
}

void test_main(void)
{
    char *page = page_alloc();
    struct fault *f = fault_arm();

    memcpy(page, program, sizeof(program));
    require(pt_map((void *)CODE, pte_make(virt_to_mfn(page), RW)));
    trap_set_handler(TRAP_SYSCALL, on_syscall);
    trap_set_handler(0x80, on_trap);
    trap_set_handler(X86_EXC_OF, on_trap);
    trap_set_handler(X86_EXC_PF, on_fault);

    check_eq(user_call(go, CODE), 0x4242);
    check_no_fault(f);
    require_eq(count, 5);
    for (unsigned i = 0; i < 5; i++) {
        check_eq(seen[i].cs, FLAT_USER_CS32);
        check_eq(seen[i].ss, FLAT_USER_SS);
        check(seen[i].flags & X86_EFLAGS_IF);
    }
    check_eq(seen[0].ip, CODE + 0x07);
    check_eq(seen[0].cx, CODE + 0x07);
    check_eq(seen[1].ip, CODE + 0x17);
    check_eq(seen[1].ax, 0x11111111);
    check_eq(seen[2].ip, CODE + 0x1c);
    check_eq(seen[3].ip, CODE + 0x1c);
    check_eq(seen[3].error, PFEC_user_mode);
    check_eq(guest_vcpu_info()->arch.cr2, NOWHERE);
    check_eq(seen[4].ip, CODE + 0x28);
    check_eq(masked, 2);                                        /* the syscall callback masks events */

    struct callback_register op = { .type = CALLBACKTYPE_syscall32, .address = (unsigned long)trap_syscall };

    check_eq(hcall(callback_op, CALLBACKOP_register, &op), 0);
    count = masked = 0;
    check_eq(user_call(go, CODE), 0x4242);
    check_eq(count, 5);
    check_eq(masked, 0);                                        /* the other one does not */
}
