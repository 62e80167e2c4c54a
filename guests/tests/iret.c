/* @title  iret
 * @fact   the iret hypercall loads every register of its frame, makes the event mask of IF, and keeps flags that are not
 *         the guest's to set
 * @source xen/include/public/arch-x86/xen-x86_64.h (iret_context), xen/arch/x86/pv/iret.c
 * @env    pv64
 */
#include <guest.h>

static struct regs seen;

static bool on_trap(struct regs *regs)
{
    seen = *regs;
    return false;
}

/* The way back uses the top of the frame as its stack: give it a copy. */
static void go(void *arg)
{
    struct regs copy = *(struct regs *)arg;

    frame_return(&copy);
}

static void land(void) __attribute__((naked));
static void land(void)
{
    __asm__("ud2");
}

void test_main(void)
{
    struct fault *f = fault_arm();
    struct regs r = {
        .r15 = 15, .r14 = 14, .r13 = 13, .r12 = 12, .bp = 55, .bx = 33, .r11 = 11, .r10 = 10, .r9 = 9, .r8 = 8,
        .ax = 1, .cx = 2, .dx = 3, .si = 4, .di = 5,
        .ip = (uint64_t)land, .cs = FLAT_KERNEL_CS & ~3, .ss = FLAT_KERNEL_SS,
    };
    /* Traps are taken on the stack in use: one that the library knows. */
    r.sp = (uint64_t)this_cpu() + PERCPU_SIZE - 0x1800;
    trap_set_handler(X86_EXC_UD, on_trap);

    for (unsigned with_if = 0; with_if < 2; with_if++) {
        r.flags = (with_if ? X86_EFLAGS_IF : 0) | X86_EFLAGS_CF | X86_EFLAGS_DF | X86_EFLAGS_AC;
        fault_arm();
        check(!fault_probe(go, &r));
        check_fault(f, X86_EXC_UD, 0);
        check_eq(seen.ip, (unsigned long)land);
        check_eq(seen.sp, r.sp);
        check(seen.ax == 1 && seen.cx == 2 && seen.dx == 3 && seen.si == 4 && seen.di == 5 && seen.bx == 33);
        check(seen.bp == 55 && seen.r8 == 8 && seen.r9 == 9 && seen.r10 == 10 && seen.r11 == 11 && seen.r12 == 12);
        check(seen.r13 == 13 && seen.r14 == 14 && seen.r15 == 15);
        check(seen.flags & X86_EFLAGS_CF);
        check(seen.flags & X86_EFLAGS_DF);
        check(seen.flags & X86_EFLAGS_AC);
        /* IF and the mask are one thing. */
        check_eq(seen.upcall_mask, !with_if);
        check_eq(!!(seen.flags & X86_EFLAGS_IF), with_if);
        check_eq(guest_vcpu_info()->evtchn_upcall_mask, !with_if);
        events_disable();
        x86_set_flags(x86_flags() & ~(unsigned long)X86_EFLAGS_AC);
    }

    /* IOPL, NT and VM are not the guest's. */
    r.flags = X86_EFLAGS_IOPL | X86_EFLAGS_NT | X86_EFLAGS_VM;
    fault_arm();
    check(!fault_probe(go, &r));
    check_fault(f, X86_EXC_UD, 0);
    check_eq(seen.flags & (X86_EFLAGS_IOPL | X86_EFLAGS_VM), 0);
    x86_set_flags(X86_EFLAGS_MBS);
}
