/* @title  alignment on ARM
 * @fact   ordinary accesses may be unaligned, unless SCTLR.A is set or the MMU is off; exclusive, acquiring, releasing and, in
 *         AArch32, multiple ones may not: they fault with the address, and nothing has been written
 * @source Arm DDI 0487, "Alignment of data accesses"; DDI 0406C, A3.2.1, A3.2.2
 * @env    arm64 arm32
 */
#include <guest.h>

static char buffer[64] __attribute__((aligned(16)));

#ifdef __aarch64__
#define ALLOWED(CASE) \
    CASE("ldr x0, [%0]") CASE("ldp x0, x1, [%0]") CASE("ldrh w0, [%0]") CASE("str x0, [%0]") CASE("stp w0, w1, [%0]")
#define ALWAYS(CASE) \
    CASE("ldxr x0, [%0]") CASE("ldaxrh w0, [%0]") CASE("ldar x0, [%0]") CASE("ldarh w0, [%0]") CASE("stlr x0, [%0]") \
    CASE("stlrh w0, [%0]") CASE("ldaxr x0, [%0]")
#define KEPT "x0", "x1", "x2"
#define control_read() sysreg_read(sctlr_el1)
#define control_write(value) sysreg_write(sctlr_el1, value)
#else
#define ALLOWED(CASE) CASE("ldr r0, [%0]") CASE("ldrh r0, [%0]") CASE("ldrsh r0, [%0]") CASE("str r0, [%0]") CASE("strh r0, [%0]")
#define ALWAYS(CASE) \
    CASE("ldm %0, {r0, r1}") CASE("stm %0, {r0, r1}") CASE("ldrd r0, r1, [%0]") CASE("strd r0, r1, [%0]") \
    CASE("ldrex r0, [%0]") CASE("ldrexh r0, [%0]")
#define KEPT "r0", "r1", "r2"
#define control_read() cp15_read(0, 1, 0, 0)
#define control_write(value) cp15_write(0, 1, 0, 0, value)
#endif

static struct fault *attempt(void) { return fault_arm(); }

#define EXECUTE(insn) __asm__ volatile(FAULTING(insn) : : "r"(at) : KEPT, "memory", "cc")
#define NO_FAULT(insn) f = attempt(); EXECUTE(insn); check_no_fault(f);
#define FAULTS(insn) f = attempt(); EXECUTE(insn); check_fault(f, EC_DABT, FSC_ALIGNMENT); check_eq(f->far, at);

static void set_control(unsigned long value)
{
    arch_barrier();
    control_write(value);
    arch_isb();
}

void test_main(void)
{
    enum { CONTROL_M = 1, CONTROL_A = 2 };
    const char *at = buffer + 3;
    unsigned long control = control_read();
    struct fault *f;

    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = (char)i;
#ifdef __aarch64__
    check_eq(*(const volatile uint64_t *)at, 0x0a09080706050403);
    check_eq(*(const volatile uint64_t *)(buffer + 13), 0x14131211100f0e0d);      /* over a boundary of 16 bytes */
#endif
    ALLOWED(NO_FAULT)
    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = (char)i;
    ALWAYS(FAULTS)
    for (unsigned i = 0; i < sizeof(buffer); i++)
        check_eq(buffer[i], i);

    set_control(control | CONTROL_A);
    ALLOWED(FAULTS)
    ALWAYS(FAULTS)
    at = buffer + 16;
    ALLOWED(NO_FAULT)
    ALWAYS(NO_FAULT)
    set_control(control);

    /* Without an MMU all data is in Device memory. */
    at = buffer + 3;
    irq_disable();
    set_control(control & ~(unsigned long)CONTROL_M);
    f = attempt();
#ifdef __aarch64__
    EXECUTE("ldr x0, [%0]");
#else
    EXECUTE("ldr r0, [%0]");
#endif
    set_control(control);
    irq_enable();
    check_fault(f, EC_DABT, FSC_ALIGNMENT);
    check_eq(f->far, at);
    ALLOWED(NO_FAULT)
}
