/* @title  I/O privilege
 * @fact   ports fault without permission; PHYSDEVOP_set_iopl and set_iobitmap give it, for kernel and user by their
 *         rules; a port without a device reads as ones
 * @source xen/include/public/physdev.h, xen/arch/x86/pv/emul-priv-op.c (guest_io_okay)
 * @env    pv64
 */
#include <guest.h>
#include <abi/physdev.h>

static uint8_t bitmap[8192];

static void out(struct fault *f, unsigned port)
{
    fault_arm();
    __asm__ volatile(FAULTING("outb %%al, %%dx") : : "a"(0), "d"(port) : "memory");
    (void)f;
}

static unsigned in(unsigned port)
{
    unsigned value = 0;

    fault_arm();
    __asm__ volatile(FAULTING("inb %%dx, %%al") : "+a"(value) : "d"(port) : "memory");
    return value;
}

static unsigned long user_in(unsigned long port)
{
    unsigned value = 0;

    __asm__ volatile("inb %%dx, %%al" : "+a"(value) : "d"(port) : "memory");
    return value;
}

void test_main(void)
{
    enum { PORT = 0x5f00 };
    struct fault *f = fault_arm();
    struct physdev_set_iopl iopl = { .iopl = 1 };
    struct physdev_set_iobitmap io;

    out(f, PORT);
    check_fault(f, X86_EXC_GP, 0);
    in(PORT);
    check_fault(f, X86_EXC_GP, 0);
    fault_arm();
    __asm__ volatile(FAULTING("cli"));
    check_fault(f, X86_EXC_GP, 0);

    check_eq(hcall(physdev_op, PHYSDEVOP_set_iopl, &iopl), 0);
    out(f, PORT);
    check_no_fault(f);
    check_eq(in(PORT), 0xff);
    check_no_fault(f);
    fault_arm();
    __asm__ volatile(FAULTING("cli") FAULTING("sti"));
    check_no_fault(f);
    fault_arm();
    user_call(user_in, PORT);
    check_fault(f, X86_EXC_GP, 0);

    iopl.iopl = 3;
    check_eq(hcall(physdev_op, PHYSDEVOP_set_iopl, &iopl), 0);
    fault_arm();
    check_eq(user_call(user_in, PORT), 0xff);
    check_no_fault(f);

    iopl.iopl = 4;
    check_eq(hcall(physdev_op, PHYSDEVOP_set_iopl, &iopl), -XEN_EINVAL);
    iopl.iopl = 0;
    check_eq(hcall(physdev_op, PHYSDEVOP_set_iopl, &iopl), 0);
    in(PORT);
    check_fault(f, X86_EXC_GP, 0);

    /* The bitmap: a clear bit allows. */
    memset(bitmap, 0xff, sizeof(bitmap));
    bitmap[PORT / 8] = (uint8_t)~(1u << PORT % 8);
    set_xen_guest_handle(io.bitmap, bitmap);
    io.nr_ports = 65536;
    check_eq(hcall(physdev_op, PHYSDEVOP_set_iobitmap, &io), 0);
    check_eq(in(PORT), 0xff);
    check_no_fault(f);
    in(PORT + 1);
    check_fault(f, X86_EXC_GP, 0);
    fault_arm();
    check_eq(user_call(user_in, PORT), 0xff);
    check_no_fault(f);
    io.nr_ports = 65537;
    check_eq(hcall(physdev_op, PHYSDEVOP_set_iobitmap, &io), -XEN_EINVAL);
    io.nr_ports = 0;
    check_eq(hcall(physdev_op, PHYSDEVOP_set_iobitmap, &io), 0);
    in(PORT);
    check_fault(f, X86_EXC_GP, 0);
    check_eq(hcall(physdev_op, 99, &io), -XEN_ENOSYS);
}
