/* @title  single step
 * @fact   TF traps behind each instruction, behind each repetition of a string instruction, not behind one that loads SS, and not
 *         behind POPF that sets it; behind POPF that clears it; a fault is no step; INT n clears TF on its way and the next
 *         trap comes behind the instruction to which it returned; DR6 has BS
 * @source Intel SDM vol. 3B 17.3.1.4, vol. 3A 6.8.3, 6.12.1.3
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { MOST = 32, DR6_BS = 1 << 14, N = 0x90 };
static unsigned long steps[MOST];
static unsigned count;
void step_sequence(void), step_0(void), step_1(void), step_ss(void), step_rep(void), step_after_rep(void), step_jump(void), step_target(void),
    step_int(void), step_after_int(void), step_ud(void), step_after_ud(void), step_popf(void), step_end(void);
static char from[4], to[4];
void *step_from = from, *step_to = to;

#ifdef __x86_64__
#define POINTERS "mov step_from(%rip), %rsi\n\tmov step_to(%rip), %rdi\n\t"
#define SP "%rsp"
#else
#define POINTERS "mov step_from, %esi\n\tmov step_to, %edi\n\t"
#define SP "%esp"
#endif
__asm__(".text\nstep_sequence:\n\t" POINTERS "mov %ss, %edx\n\tmov $3, %ecx\n\tcld\n\t"
        "pushf\n\torl $0x100, (" SP ")\n\tpopf\n"
        "step_0:\tnop\nstep_1:\tmov %edx, %ss\nstep_ss:\tnop\n"
        "step_rep:\trep movsb\nstep_after_rep:\tnop\nstep_jump:\tjmp step_target\n\tud2\nstep_target:\tnop\n"
        "step_int:\tint $0x90\nstep_after_int:\tnop\n"
        "step_ud:\tud2\nstep_after_ud:\tnop\n"
        "\tpushf\n\tandl $~0x100, (" SP ")\nstep_popf:\tpopf\nstep_end:\tnop\n\tret\n");

static bool on_debug(struct regs *r)
{
    if (count < MOST)
        steps[count] = r->ip;
    count++;
    return true;
}

static bool on_int(struct regs *r)
{
    check(!(x86_flags() & X86_EFLAGS_TF));
    check(r->flags & X86_EFLAGS_TF);
    return true;
}

static bool on_ud(struct regs *r)
{
    check(r->flags & X86_EFLAGS_TF);
    r->ip += 2;
    return true;
}

void test_main(void)
{
    /* Where execution goes on behind each trap. */
    const unsigned long expected[] = {
        (unsigned long)step_1, (unsigned long)step_rep, (unsigned long)step_rep, (unsigned long)step_rep, (unsigned long)step_after_rep,
        (unsigned long)step_jump, (unsigned long)step_target, (unsigned long)step_int, (unsigned long)step_ud, 0, 0, (unsigned long)step_popf,
    };

    trap_set_handler(X86_EXC_DB, on_debug);
    trap_set_handler(N, on_int);
    trap_set_handler(X86_EXC_UD, on_ud);
    write_dr6(0);
    __asm__ volatile("call step_sequence" : : : "ax", "cx", "dx", "si", "di", "memory", "cc");
    check(read_dr6() & DR6_BS);
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
        if (expected[i] && steps[i] != expected[i]) {
            printf("step %u: at %lx, not %lx\n", i, steps[i], expected[i]);
            fail("another place");
        }
    /* behind step_after_ud's nop, pushf, and, popf: three before popf, one behind it */
    check_eq(count, 13);
    check_eq(steps[12], (unsigned long)step_end);
}
