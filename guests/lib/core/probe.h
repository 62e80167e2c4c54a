/* probe.h - code that may fault: FAULTING("instruction"), and fault_probe() for anything that a function does. What was
 * recorded of the exception is the architecture's (faults.h).
 */
#ifndef GUEST_PROBE_H
#define GUEST_PROBE_H
#include <stdbool.h>

/* Text for asm: the instruction is put into a table; when it raises an exception, execution goes on at `behind`. */
#define FAULTING_SKIP(insn, behind) \
    "771:\n\t" insn "\n772:\n\t" \
    ".pushsection .extable, \"a\"\n\t" ARCH_ASM_WORD " 771b, " behind "\n\t.popsection\n\t"
#define FAULTING(insn) FAULTING_SKIP(insn, "772b")

struct extable_entry {
    unsigned long fault, behind;
};
/* The entry whose instruction is at `ip`, or ends there (a trap); NULL: none. */
const struct extable_entry *extable_find(unsigned long ip);

/* Call fn(arg); an exception in it that nothing else expects ends it. True: it came back by itself. */
bool fault_probe(void (*fn)(void *), void *arg);
/* End the fault_probe() or user_call() that this vcpu is in; comes back if it is in none. */
void fault_recover(void);

#endif
