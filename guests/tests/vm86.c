/* @title  virtual-8086 mode
 * @fact   IRET with VM enters it and an exception leaves it: segments are paragraphs, the ring is 3, pushes are 16 bits wide; the
 *         frame has the data segments above SS:SP, and the handler finds them null
 * @source Intel SDM vol. 3A 20.1, 20.2.1 - 20.2.3, 20.3.1.1
 * @env    hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <vm86.h>

static unsigned ds_inside, es_inside, fs_inside, gs_inside;

/* Segment registers as the processor left them: the library's entry has loaded ds and es since. */
static bool look(struct regs *r)
{
    fs_inside = x86_fs();
    gs_inside = x86_gs();
    ds_inside = (unsigned)r->ds & 0xffff;
    es_inside = (unsigned)r->es & 0xffff;
    vm86_regs = *r;
    return false;
}

void test_main(void)
{
    static const uint8_t code[] = {
        0xb8, 0x34, 0x12,              /* mov $0x1234, %ax */
        0x50,                          /* push %ax */
        0xa3, 0x10, 0x00,              /* mov %ax, 0x10 */
        0x26, 0xa3, 0x12, 0x00,        /* mov %ax, %es:0x12 */
        0x8c, 0xcb,                    /* mov %cs, %bx */
        0xb9, 0x00, 0x95,              /* mov $0x9500, %cx */
        0x8e, 0xd9,                    /* mov %cx, %ds */
        0xa3, 0x00, 0x00,              /* mov %ax, 0 */
        0x0f, 0x0b                     /* ud2 */
    };
    unsigned long flags = 3 << 12 | X86_EFLAGS_IF;
    struct fault *f = fault_arm();
    volatile uint16_t *data = (uint16_t *)(VM86_DATA << 4), *other = (uint16_t *)0x95000;
    volatile uint16_t *stack = (uint16_t *)((VM86_STACK << 4) + VM86_STACK_TOP);

    data[8] = data[17] = other[0] = stack[-1] = stack[-2] = 0;
    memcpy((void *)(VM86_SEGMENT << 4), code, sizeof(code));
    trap_set_handler(X86_EXC_UD, look);
    require(!fault_probe(vm86_enter, &flags));
    check_fault(f, X86_EXC_UD, 0);
    check_eq(f->ip, sizeof(code) - 2);
    check_eq(f->cs, VM86_SEGMENT);
    check_eq(f->flags & (X86_EFLAGS_VM | X86_EFLAGS_IOPL | X86_EFLAGS_IF), X86_EFLAGS_VM | X86_EFLAGS_IOPL | X86_EFLAGS_IF);
    check_eq(f->ss, VM86_STACK);
    check_eq(f->sp, VM86_STACK_TOP - 2);
    check_eq(vm86_regs.bx & 0xffff, VM86_SEGMENT);
    check_eq(vm86_regs.vm_ds, 0x9500);
    check_eq(vm86_regs.vm_es, VM86_DATA + 1);
    check_eq(vm86_regs.vm_fs, VM86_DATA + 2);
    check_eq(vm86_regs.vm_gs, VM86_DATA + 3);
    check(ds_inside == 0 && es_inside == 0 && fs_inside == 0 && gs_inside == 0);
    check_eq(stack[-1], 0x1234);
    check_eq(data[8], 0x1234);
    check_eq(data[17], 0x1234);
    check_eq(other[0], 0x1234);
}
