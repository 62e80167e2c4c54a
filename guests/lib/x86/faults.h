/* faults.h - expect a fault, and go on behind it.
 *
 *   struct fault *f = fault_arm();
 *   asm volatile(FAULTING("movb $0, (%0)") : : "r"(p) : "memory");
 *   check_fault(f, X86_EXC_PF, PFEC_write_access);
 *
 * FAULTING(insn) puts the instruction into a table: when it raises an exception, the exception is recorded and
 * execution goes on behind it. fault_probe() does the same for anything that a function does.
 */
#ifndef GUEST_FAULTS_H
#define GUEST_FAULTS_H
#include <stdbool.h>
#include <stdint.h>
#include <probe.h>

struct regs;

/* The last exception of this vcpu. */
struct fault {
    unsigned count;                /* exceptions since fault_arm() */
    unsigned vector;               /* X86_EXC_* */
    unsigned long error;           /* error code, 0 when the vector has none */
    unsigned long address;         /* cr2, for #PF */
    unsigned long ip, sp, flags;
    unsigned cs, ss;
    unsigned upcall_mask;          /* saved_upcall_mask of the frame */
    bool behind;                   /* FAULTING(): ip was behind the instruction, as of a trap */
};

/* Forget what was recorded; returns this vcpu's record. */
struct fault *fault_arm(void);
/* The library's part of every exception: record it, and say where to go on. False: nobody expected it. */
bool fault_expected(struct regs *regs);
/* Print and end the test. */
void fault_unexpected(const struct regs *regs) __attribute__((noreturn));
const char *vector_name(unsigned vector);

#define check_fault(f, v, e) \
    do { \
        if ((f)->count != 1 || (f)->vector != (unsigned)(v) || (f)->error != (unsigned long)(e)) \
            verdict_note(false, __FILE__, __LINE__, "expected %s[%lx], got %u exceptions, the last %s[%lx]", \
                         vector_name(v), (unsigned long)(e), (f)->count, vector_name((f)->vector), (f)->error); \
    } while (0)
#define check_no_fault(f) \
    do { \
        if ((f)->count) \
            verdict_note(false, __FILE__, __LINE__, "expected no exception, got %u, the last %s[%lx] at %lx", \
                         (f)->count, vector_name((f)->vector), (f)->error, (f)->ip); \
    } while (0)

#endif
