/* insn.h - one decoded instruction, as plain data (also preprocessed into cffi: Python fills it). */
#ifndef XENLAB_INSN_H
#define XENLAB_INSN_H
#include "../xen.h"

/* What an emulator of ours can execute. Everything else is INSN_OTHER. */
enum insn_op {
    INSN_OTHER = 0,
    /* privileged */
    INSN_MOV_FROM_CR, INSN_MOV_TO_CR, INSN_CLTS, INSN_LMSW, INSN_MOV_FROM_DR, INSN_MOV_TO_DR, INSN_RDMSR, INSN_WRMSR,
    INSN_CPUID, INSN_RDTSC, INSN_RDTSCP, INSN_RDPMC, INSN_INVLPG, INSN_INVD, INSN_WBINVD, INSN_XSETBV, INSN_HLT,
    INSN_CLI, INSN_STI, INSN_SWAPGS, INSN_IN, INSN_OUT, INSN_INS, INSN_OUTS,
    /* stores: what a kernel writes its page tables with */
    INSN_MOV, INSN_XCHG, INSN_CMPXCHG, INSN_CMPXCHG8B, INSN_CMPXCHG16B, INSN_XADD, INSN_ADD, INSN_SUB, INSN_AND, INSN_OR,
    INSN_XOR, INSN_INC, INSN_DEC, INSN_NOT, INSN_NEG, INSN_BTS, INSN_BTR, INSN_BTC, INSN_STOS, INSN_MOVS,
    INSN_COUNT
};

enum insn_operand_kind { OPERAND_NONE = 0, OPERAND_REGISTER, OPERAND_IMMEDIATE, OPERAND_MEMORY, OPERAND_SYSTEM };
enum { INSN_REP = 1, INSN_LOCK = 2, INSN_STACK = 4 };    /* STACK: its memory is reached through SS */
/* register numbers: 0-15 rax rcx rdx rbx rsp rbp rsi rdi r8..r15 (the encoding's order); 16-19: ah ch dh bh */
enum { INSN_REG_NONE = 0xff, INSN_REG_RIP = 0xfe, INSN_REG_HIGH = 16 };

struct insn_operand {
    uint8_t kind;                 /* enum insn_operand_kind */
    uint8_t size;                 /* bytes: 1, 2, 4, 8, 16 */
    uint8_t reg;                  /* REGISTER: its number; SYSTEM: number of the control or debug register */
    uint8_t segment;              /* MEMORY: enum x86_segment */
    uint8_t base, index, scale;   /* MEMORY: register numbers or INSN_REG_NONE; index times scale (1, 2, 4, 8) */
    uint8_t pad;
    int64_t value;                /* IMMEDIATE: sign-extended; MEMORY: the displacement */
};

struct insn {
    uint16_t op;                  /* enum insn_op */
    uint8_t length;               /* bytes */
    uint8_t flags;                /* INSN_REP, INSN_LOCK */
    uint8_t operand_size;         /* bytes */
    uint8_t address_size;         /* bytes: 8, 4, 2 */
    uint8_t operand_count;
    uint8_t pad;
    struct insn_operand operands[3];
};

/* Remember how `length` bytes of code decode in a `mode` (64, 32, 16) code segment. 0, or -EINVAL for data that no
 * instruction can have. */
int hv_decode_add(struct hv *hv, const uint8_t *bytes, uint32_t length, uint32_t mode, const struct insn *insn);

#endif
