/* faults.h (ARM) - what is recorded of an exception that a test expects (probe.h has how it is expected).
 *
 *   struct fault *f = fault_arm();
 *   asm volatile(FAULTING("str %0, [%1]") : : "r"(0UL), "r"(p) : "memory");
 *   check_fault(f, EC_DABT, FSC_TRANSLATION | 3);
 */
#ifndef GUEST_ARM_FAULTS_H
#define GUEST_ARM_FAULTS_H
#include <stdbool.h>
#include <stdint.h>
#include <probe.h>

struct regs;

/* Fault status codes of aborts, in the low six bits of a syndrome; the level is added where there is one. */
enum {
    FSC_ADDRESS_SIZE = 0x00, FSC_TRANSLATION = 0x04, FSC_ACCESS_FLAG = 0x08, FSC_PERMISSION = 0x0c, FSC_ALIGNMENT = 0x21,
    /* What Xen says of an abort that it injects: nothing; in AArch32 that of a debug event. */
#ifdef __aarch64__
    FSC_INJECTED = 0x00
#else
    FSC_INJECTED = 0x22
#endif
};
#define ISS_FSC 0x3f                    /* of an abort: the status code */
#define ISS_WNR (1 << 6)                /* it was a write */
#define ISS_S1PTW (1 << 7)
#define ISS_CM (1 << 8)                 /* it was cache maintenance */
#define ESR_IL (1 << 25)                /* a 32-bit instruction */
#define ESR_ISS 0x1ffffff

/* The last exception of this vcpu. In AArch32 esr is made of IFSR or DFSR, in the same form. */
struct fault {
    unsigned count;                     /* exceptions since fault_arm() */
    unsigned vector;                    /* EC_* or TRAP_* */
    unsigned long esr, far;
    unsigned long ip, sp, flags;        /* ELR, SP and SPSR */
};

/* Forget what was recorded; returns this vcpu's record. */
struct fault *fault_arm(void);
/* The library's part of every exception: record it, and say where to go on. False: nobody expected it. */
bool fault_expected(struct regs *regs);
/* Print and end the test. */
void fault_unexpected(const struct regs *regs) __attribute__((noreturn));
const char *vector_name(unsigned vector);

/* One exception of class `v`, whose syndrome has `s` in its ISS. */
#define check_fault_iss(f, v, s) \
    do { \
        if ((f)->count != 1 || (f)->vector != (unsigned)(v) || ((f)->esr & ESR_ISS) != (unsigned long)(s)) \
            verdict_note(false, __FILE__, __LINE__, "expected %s[%lx], got %u exceptions, the last %s[%lx]", \
                         vector_name(v), (unsigned long)(s), (f)->count, vector_name((f)->vector), (f)->esr & ESR_ISS); \
    } while (0)
/* One abort of class `v` with this status code. */
#define check_fault(f, v, fsc) \
    do { \
        if ((f)->count != 1 || (f)->vector != (unsigned)(v) || ((f)->esr & ISS_FSC) != (unsigned long)(fsc)) \
            verdict_note(false, __FILE__, __LINE__, "expected %s with status %lx, got %u exceptions, the last %s[%lx]", \
                         vector_name(v), (unsigned long)(fsc), (f)->count, vector_name((f)->vector), (f)->esr & ESR_ISS); \
    } while (0)
#define check_no_fault(f) \
    do { \
        if ((f)->count) \
            verdict_note(false, __FILE__, __LINE__, "expected no exception, got %u, the last %s[%lx] at %lx", \
                         (f)->count, vector_name((f)->vector), (f)->esr & ESR_ISS, (f)->ip); \
    } while (0)

#endif
