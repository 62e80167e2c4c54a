/* canonical.c - accesses to addresses that are not canonical: #GP, or #SS where the stack segment is meant.
 *
 * The engine walks the page tables for such an address like for any other, and finds nothing. Which of the two exceptions is
 * due follows from the instruction: whether it goes through SS, by an operand whose base is rsp or rbp, or because it is
 * a stack instruction. Facts: AMD64 APM volume 1, 2.1.4 and 3.5; Intel SDM volume 2, 2.1.5 (table 2-2).
 */
#include "hvm.h"

enum { INSN_MAX = 15, ESCAPE = 0x0f, FS = 0x64, GS = 0x65 };

/* PUSH, POP, CALL, RET, ENTER, LEAVE, PUSHF, POPF without an operand in memory. */
static bool stack_opcode(bool escaped, uint8_t opcode)
{
    if (escaped)
        return opcode == 0xa0 || opcode == 0xa1 || opcode == 0xa8 || opcode == 0xa9;
    return (opcode >= 0x50 && opcode <= 0x5f) || opcode == 0x68 || opcode == 0x6a || opcode == 0x9c || opcode == 0x9d ||
           opcode == 0xc2 || opcode == 0xc3 || opcode == 0xc8 || opcode == 0xc9 || opcode == 0xca || opcode == 0xcb ||
           opcode == 0xcf || opcode == 0xe8;
}

/* Opcodes of one byte without a ModRM byte that address memory through DS or ES: MOVS .. SCAS, MOV with an offset, XLAT. */
static bool data_opcode(uint8_t opcode) { return (opcode >= 0xa0 && opcode <= 0xaf) || opcode == 0xd7 || opcode == 0x6c; }

static bool modrm_through_ss(const uint8_t *bytes, unsigned n)
{
    uint8_t modrm = bytes[n], mod = modrm >> 6, rm = modrm & 7, sib = bytes[n + 1];
    if (mod == 3)
        return false;
    if (rm == 4)
        return (sib & 7) == 4 || ((sib & 7) == 5 && mod != 0);
    return rm == 5 && mod != 0;
}

/* Of a 64-bit instruction. */
static bool through_ss(const uint8_t bytes[INSN_MAX + 3])
{
    unsigned n = 0;
    bool other_segment = false, rex_b = false;
    for (; n < INSN_MAX; n++) {
        uint8_t b = bytes[n];
        if ((b & 0xf0) == 0x40) {
            rex_b = b & 1;
            continue;
        }
        if (b == FS || b == GS)
            other_segment = true;
        else if (b != 0x66 && b != 0x67 && b != 0xf0 && b != 0xf2 && b != 0xf3 && b != 0x2e && b != 0x36 && b != 0x3e && b != 0x26)
            break;
        rex_b = false;
    }
    bool escaped = bytes[n] == ESCAPE;
    uint8_t opcode = bytes[n + (escaped ? 1 : 0)];
    if (stack_opcode(escaped, opcode))
        return true;
    if (other_segment || rex_b || (!escaped && data_opcode(opcode)))
        return false;
    return modrm_through_ss(bytes, n + (escaped ? 2 : 1));
}

uint32_t hvm_non_canonical_vector(struct hv *hv, struct vcpu *v)
{
    uint8_t bytes[INSN_MAX + 3] = {0};
    uint64_t rip = cpu_gprs(hv_cpu_of(hv, v))->rip;
    if (hv_peek(hv, v, bytes, rip, INSN_MAX) == 0)
        return VECTOR_GP;
    return through_ss(bytes) ? VECTOR_SS : VECTOR_GP;
}
