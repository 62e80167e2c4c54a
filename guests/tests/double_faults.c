/* @title  double faults
 * @fact   a contributory exception on the way to another one's handler, or to a page fault's, is #DF
 *         with error code 0; behind a benign one it is delivered by itself, of an INT3 without the EXT bit
 * @source Intel SDM vol. 3A 6.15 (interrupt 8, tables 6-4 and 6-5); AMD64 APM vol. 2, 8.2.9
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

static void absent(unsigned vector, bool yes)
{
    struct gate *gate = trap_gate_address(vector);

    gate->type = (uint8_t)(yes ? gate->type & 0x7f : gate->type | 0x80);
}

static void divide(void *unused) { (void)unused; __asm__ volatile("divb %%cl" : : "a"(1), "c"(0) : "cc"); }
static void bad_segment(void *unused) { (void)unused; __asm__ volatile("mov %w0, %%fs" : : "r"(0x7f8)); }
static void undefined(void *unused) { (void)unused; __asm__ volatile("ud2"); }
static void breakpoint(void *unused) { (void)unused; __asm__ volatile("int3"); }
static void touch(void *unused) { (void)unused; *(volatile char *)BAD_POINTER = 1; }

static void expect(void (*fn)(void *), unsigned vector, unsigned long error)
{
    struct fault *f = fault_arm();

    check(!fault_probe(fn, NULL));
    check_fault(f, vector, error);
}

void test_main(void)
{
    absent(X86_EXC_DE, true);
    expect(divide, X86_EXC_DF, 0);
    absent(X86_EXC_DE, false);
    absent(X86_EXC_GP, true);
    expect(bad_segment, X86_EXC_DF, 0);
    absent(X86_EXC_GP, false);
    absent(X86_EXC_UD, true);
    expect(undefined, X86_EXC_NP, EC_GATE(X86_EXC_UD) | 1);
    absent(X86_EXC_UD, false);
    absent(X86_EXC_BP, true);
    expect(breakpoint, X86_EXC_NP, EC_GATE(X86_EXC_BP));
    absent(X86_EXC_BP, false);
    if (read_cr0() & X86_CR0_PG) {
        absent(X86_EXC_PF, true);
        expect(touch, X86_EXC_DF, 0);
        absent(X86_EXC_PF, false);
    }
    expect(divide, X86_EXC_DE, 0);
}
