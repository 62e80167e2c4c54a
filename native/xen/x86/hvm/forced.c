/* forced.c - Xen's forced emulation prefix, as Xen has it with `hvm_fep`: UD2 and "xen" in front of an instruction.
 *
 * In whichever ring and mode, the prefix is passed over and the instruction executed by the emulator. Here that is the engine
 * itself, which has the instruction alone in its block; what it raises, it raises behind the prefix. The prefix is no
 * instruction: it is not counted, and it ends what RF suppresses.
 * Facts: hvm_ud_intercept() in xen/arch/x86/hvm/hvm.c and xen-command-line.pandoc (hvm_fep) of Xen 4.17.
 */
#include "hvm.h"

bool hvm_forced(struct hv *hv, struct vcpu *v)
{
    static const uint8_t PREFIX[] = {0x0f, 0x0b, 'x', 'e', 'n'};
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct x86_gprs *r = cpu_gprs(cpu);
    uint8_t bytes[sizeof PREFIX];
    if (!hvm_of(hv, hv_domain(hv, v))->forced_emulation || 
        hv_peek(hv, v, bytes, hvm_code_address(cpu), sizeof bytes) != sizeof bytes || memcmp(bytes, PREFIX, sizeof PREFIX) != 0)
        return false;
    r->rip = hvm_in_64bit(cpu) ? r->rip + sizeof PREFIX : (uint32_t)(r->rip + sizeof PREFIX);
    cpu_set_rflags(cpu, cpu_rflags(cpu) & ~RFLAGS_RF);
    cpu_next_alone(cpu);
    return true;
}
