/* media.c - instructions of MMX and SSE that are undefined by CR0.EM or CR4.OSFXSR, where the engine looks at CR0.TS first.
 *
 * Facts: Intel SDM volume 3, tables 2-2, 11-1 and 13-1; volume 2, appendix A (opcode maps).
 */
#include "hvm.h"

enum { INSN_MAX = 15, ESCAPE = 0x0f, GROUP15 = 0xae, CR0_EM = 4, CR4_OSFXSR = 1 << 9 };

/* Opcodes behind 0F that without a prefix are of MMX: all others of those that touch the FPU's state are of SSE. */
static bool is_mmx(uint8_t opcode)
{
    return (opcode >= 0x60 && opcode <= 0x7f) || opcode == 0xc4 || opcode == 0xc5 || (opcode >= 0xd1 && opcode != 0xd6) || opcode == 0x38 ||
           opcode == 0x3a;
}

bool hvm_media_undefined(struct hv *hv, struct vcpu *v)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    bool wide = hvm_in_64bit(cpu), prefix = false;
    uint8_t bytes[INSN_MAX + 3] = {0};
    unsigned n = 0;
    hv_peek(hv, v, bytes, hvm_code_address(cpu), INSN_MAX);
    for (; n < INSN_MAX; n++) {
        uint8_t b = bytes[n];
        if (b == 0x66 || b == 0xf2 || b == 0xf3)
            prefix = true;
        else if (b != 0x67 && b != 0xf0 && b != 0x64 && b != 0x65 && b != 0x2e && b != 0x36 && b != 0x3e && b != 0x26 && !(wide && (b & 0xf0) == 0x40))
            break;
    }
    if (bytes[n] != ESCAPE)       /* x87 */
        return false;
    uint8_t opcode = bytes[n + 1], modrm = bytes[n + 2];
    if (opcode == GROUP15 && modrm < 0xc0 && (modrm >> 3 & 7) < 2)         /* FXSAVE, FXRSTOR: as x87 */
        return false;
    return cpu_cr(cpu, 0) & CR0_EM || (!(cpu_cr(cpu, 4) & CR4_OSFXSR) && (prefix || !is_mmx(opcode)));
}
