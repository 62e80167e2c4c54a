/* decode.h - decoded instructions: what the emulators of native/xen execute.
 *
 * Capstone decodes, once, in Python (hv/arch/x86/decode.py): an instruction that is not in the cache leaves hv_run()
 * with EXIT_DECODE and its bytes; hv_decode_add() puts the result in; the guest's instruction is then executed again
 * and found. The cache is keyed by the bytes and the code size. It is no state: dropping it changes nothing that a guest
 * can see.
 */
#ifndef XENLAB_DECODE_H
#define XENLAB_DECODE_H
#include "insn.h"
#include "../hv.h"

struct decode_cache *decode_create(void);
void decode_destroy(struct decode_cache *cache);
const struct insn *decode_find(const struct decode_cache *cache, const uint8_t *bytes, uint32_t length, uint32_t mode);

/* Code size that CS selects: 64, 32 or 16. */
uint32_t insn_mode(struct cpu *cpu);

/* The instruction at rip. INSN_FOUND: *out; INSN_UNKNOWN: the exit record asks Python for it (leave with `return
 * false`); INSN_UNREADABLE: its bytes are not mapped. */
enum insn_status { INSN_FOUND, INSN_UNKNOWN, INSN_UNREADABLE };
enum insn_status insn_fetch(struct hv *hv, struct vcpu *v, const struct insn **out);

/* The operand's value, zero-extended: registers and immediates. Memory is insn_address() and hv_copy_*_guest(). */
uint64_t insn_read(struct cpu *cpu, const struct insn_operand *op);
/* Write a register operand as the processor does: 4 bytes clear the upper half, 1 and 2 keep the rest. */
void insn_write(struct cpu *cpu, const struct insn_operand *op, uint64_t value);
uint64_t insn_read_register(struct cpu *cpu, uint32_t number, uint32_t size);
void insn_write_register(struct cpu *cpu, uint32_t number, uint32_t size, uint64_t value);
/* Linear address of a memory operand, before the instruction's own side effects. */
uint64_t insn_address(struct cpu *cpu, const struct insn *insn, const struct insn_operand *op);
/* The instruction is done: rip behind it, RF clear, counted as retired; a pending single step is delivered as #DB. Use
 * its result as the result of the exception callback. */
bool insn_done(struct hv *hv, struct vcpu *v, const struct insn *insn);

#endif
