/* mm_emulate.c - executing the store of a guest kernel that faulted on its own read-only page table.
 *
 * Invariants. We come here only for a write to a present, read-only mapping of a validated L1 table of the guest's own,
 * in its kernel, with VMASST_TYPE_writable_pagetables; everything else is a page fault as any other, and its
 * instruction is not even looked at. The memory operand must lie where the fault was and be naturally aligned, at most
 * 8 bytes. Registers and flags change only when the page-table update was accepted: an instruction is executed in
 * full or not at all. One iteration of a repeated string store is one trap.
 * Facts: pv_ro_page_fault() of Xen 4.17; flags: Intel SDM volume 1, 3.4.3.
 */
#include "decode.h"
#include "direct_paging.h"
#include "pv.h"

enum { FLAG_CF = 1, FLAG_PF = 4, FLAG_AF = 0x10, FLAG_ZF = 0x40, FLAG_SF = 0x80, FLAG_OF = 0x800 };

/* One read-modify-write on its way. */
struct store {
    const struct insn *insn;
    struct cpu *cpu;
    uint32_t size;
    uint64_t old, source, value;  /* in memory, the other operand, what to write */
    uint64_t flags;               /* result, of those in `changed` */
    uint64_t changed;
};
typedef void store_fn(struct store *s);

static uint64_t size_mask(uint32_t size) { return size >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << (size * 8)) - 1; }

static void result_flags(struct store *s, uint64_t result, uint64_t keep)
{
    uint64_t parity = result ^ result >> 4;
    result &= size_mask(s->size);
    s->changed = (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF) & ~keep;
    s->flags |= result == 0 ? FLAG_ZF : 0u;
    s->flags |= result >> (s->size * 8 - 1) & 1 ? FLAG_SF : 0u;
    s->flags |= (0x9669u >> (parity & 15) & 1) ? FLAG_PF : 0u;
}

static void sum_flags(struct store *s, uint64_t a, uint64_t b, uint64_t result, bool minus, uint64_t keep)
{
    uint64_t mask = size_mask(s->size), top = s->size * 8 - 1;
    uint64_t overflow = minus ? (a ^ b) & (a ^ result) : ~(a ^ b) & (a ^ result);
    s->flags |= (minus ? (a & mask) < (b & mask) : (result & mask) < (a & mask)) ? FLAG_CF : 0u;
    s->flags |= (a ^ b ^ result) & FLAG_AF;
    s->flags |= overflow >> top & 1 ? FLAG_OF : 0u;
    result_flags(s, result, keep);
}

static void st_mov(struct store *s) { s->value = s->source; }
static void st_add(struct store *s)
{
    s->value = s->old + s->source;
    sum_flags(s, s->old, s->source, s->value, false, 0);
}
static void st_sub(struct store *s)
{
    s->value = s->old - s->source;
    sum_flags(s, s->old, s->source, s->value, true, 0);
}
static void st_inc(struct store *s)
{
    s->value = s->old + 1;
    sum_flags(s, s->old, 1, s->value, false, FLAG_CF);
}
static void st_dec(struct store *s)
{
    s->value = s->old - 1;
    sum_flags(s, s->old, 1, s->value, true, FLAG_CF);
}
static void st_neg(struct store *s)
{
    s->value = 0 - s->old;
    sum_flags(s, 0, s->old, s->value, true, 0);
}
static void st_not(struct store *s) { s->value = ~s->old; }
static void st_and(struct store *s)
{
    s->value = s->old & s->source;
    result_flags(s, s->value, 0);
}
static void st_or(struct store *s)
{
    s->value = s->old | s->source;
    result_flags(s, s->value, 0);
}
static void st_xor(struct store *s)
{
    s->value = s->old ^ s->source;
    result_flags(s, s->value, 0);
}
/* The accumulator is compared; a mismatch writes the old value back, as the processor does. */
static void st_cmpxchg(struct store *s)
{
    uint64_t accumulator = insn_read_register(s->cpu, 0, s->size);
    s->value = accumulator == s->old ? s->source : s->old;
    sum_flags(s, accumulator, s->old, accumulator - s->old, true, 0);
}
static void st_cmpxchg8b(struct store *s)
{
    const struct x86_gprs *g = cpu_gprs(s->cpu);
    bool equal = s->old == ((g->rdx << 32) | (uint32_t)g->rax);
    s->value = equal ? g->rcx << 32 | (uint32_t)g->rbx : s->old;
    s->flags = equal ? FLAG_ZF : 0u;
    s->changed = FLAG_ZF;
}

/* bts, btr, btc: `source` is the bit's number inside the operand by now. */
static void bit_flag(struct store *s)
{
    s->flags = s->old >> s->source & 1 ? FLAG_CF : 0u;
    s->changed = FLAG_CF;
}
static void st_bts(struct store *s)
{
    bit_flag(s);
    s->value = s->old | UINT64_C(1) << s->source;
}
static void st_btr(struct store *s)
{
    bit_flag(s);
    s->value = s->old & ~(UINT64_C(1) << s->source);
}
static void st_btc(struct store *s)
{
    bit_flag(s);
    s->value = s->old ^ UINT64_C(1) << s->source;
}

static store_fn *const STORES[INSN_COUNT] = {
    [INSN_MOV] = st_mov, [INSN_XCHG] = st_mov, [INSN_XADD] = st_add, [INSN_ADD] = st_add, [INSN_SUB] = st_sub,
    [INSN_INC] = st_inc, [INSN_DEC] = st_dec, [INSN_NEG] = st_neg, [INSN_NOT] = st_not, [INSN_AND] = st_and,
    [INSN_OR] = st_or, [INSN_XOR] = st_xor, [INSN_CMPXCHG] = st_cmpxchg, [INSN_CMPXCHG8B] = st_cmpxchg8b,
    [INSN_BTS] = st_bts, [INSN_BTR] = st_btr, [INSN_BTC] = st_btc, [INSN_STOS] = st_mov, [INSN_MOVS] = st_mov,
};

static bool is_string(const struct insn *insn) { return insn->op == INSN_STOS || insn->op == INSN_MOVS; }
static bool is_bit(const struct insn *insn)
{
    return insn->op == INSN_BTS || insn->op == INSN_BTR || insn->op == INSN_BTC;
}

/* Where a string instruction writes (register 7, rdi) or reads (6, rsi). */
static uint64_t string_address(struct cpu *cpu, const struct insn *insn, uint32_t number)
{
    return insn_read_register(cpu, number, insn->address_size);
}

static void string_advance(struct cpu *cpu, const struct insn *insn, uint32_t number)
{
    uint64_t step = cpu_rflags(cpu) & RFLAGS_DF ? 0 - (uint64_t)insn->operand_size : insn->operand_size;
    insn_write_register(cpu, number, insn->address_size, string_address(cpu, insn, number) + step);
}

/* Linear address and size of the destination, and the other operand. false: not an instruction for us. */
static bool operands(struct hv *hv, struct vcpu *v, struct store *s, uint64_t *va)
{
    const struct insn *insn = s->insn;
    const struct insn_operand *mem = &insn->operands[0], *other = &insn->operands[1];
    if (!STORES[insn->op])
        return false;
    if (is_string(insn)) {
        s->size = insn->operand_size;
        *va = string_address(s->cpu, insn, 7);
        if (s->size == 0 || s->size > 8)
            return false;
        if (insn->op == INSN_STOS)
            s->source = insn_read_register(s->cpu, 0, s->size);
        else
            return hv_copy_from_guest(hv, v, &s->source, string_address(s->cpu, insn, 6), s->size) == 0;
        return true;
    }
    if (insn->op == INSN_XCHG && mem->kind != OPERAND_MEMORY)
        mem = &insn->operands[1], other = &insn->operands[0];
    if (mem->kind != OPERAND_MEMORY || other->kind > OPERAND_IMMEDIATE)
        return false;
    s->size = mem->size;
    if (s->size == 0 || s->size > 8)
        return false;
    *va = insn_address(s->cpu, insn, mem);
    if (other->kind != OPERAND_NONE)
        s->source = insn_read(s->cpu, other) & size_mask(s->size);
    if (is_bit(insn)) {
        if (other->kind == OPERAND_REGISTER) {      /* a signed bit offset from the address */
            unsigned shift = 64 - s->size * 8;
            int64_t bit = (int64_t)(s->source << shift) >> shift;
            *va += (uint64_t)((bit & ~(int64_t)(s->size * 8 - 1)) / 8);
        }
        s->source &= s->size * 8 - 1;
    }
    return true;
}

/* The registers that the instruction writes beside memory. */
static void write_registers(const struct store *s)
{
    const struct insn *insn = s->insn;
    struct x86_gprs *g = cpu_gprs(s->cpu);
    bool failed = (insn->op == INSN_CMPXCHG || insn->op == INSN_CMPXCHG8B) && !(s->flags & FLAG_ZF);
    if (insn->op == INSN_XCHG || insn->op == INSN_XADD)
        insn_write(s->cpu, &insn->operands[insn->operands[0].kind == OPERAND_MEMORY], s->old);
    if (insn->op == INSN_CMPXCHG && failed)
        insn_write_register(s->cpu, 0, s->size, s->old);
    if (insn->op == INSN_CMPXCHG8B && failed) {
        g->rax = (uint32_t)s->old;
        g->rdx = s->old >> 32;
    }
    if (is_string(insn))
        string_advance(s->cpu, insn, 7);
    if (insn->op == INSN_MOVS)
        string_advance(s->cpu, insn, 6);
    if (s->changed)
        cpu_set_rflags(s->cpu, (cpu_rflags(s->cpu) & ~s->changed) | (s->flags & s->changed));
}

/* The instruction, or one iteration of it, is done. Returns what the engine's callback should. */
static bool finish(struct hv *hv, struct vcpu *v, const struct store *s)
{
    if (is_string(s->insn) && (s->insn->flags & INSN_REP)) {
        uint64_t left = insn_read_register(s->cpu, 1, s->insn->address_size) - 1;
        insn_write_register(s->cpu, 1, s->insn->address_size, left);
        if (left != 0) {
            cpu_retire(s->cpu);
            return pv_resume(hv, v);
        }
    }
    return insn_done(hv, v, s->insn);
}

bool mm_emulate_pt_write(struct hv *hv, struct vcpu *v, uint64_t va, uint32_t error, bool *handled)
{
    uint64_t table, address;
    unsigned slot;
    struct store s = { .cpu = hv_cpu_of(hv, v) };
    *handled = false;
    if (!v->kernel_mode || (error & (PF_PRESENT | PF_WRITE | PF_RESERVED | PF_FETCH)) != (PF_PRESENT | PF_WRITE) ||
        !(hv_domain(hv, v)->vm_assist & 1u << VMASST_TYPE_writable_pagetables) ||
        mm_find_l1(hv, v, va, &table, &slot) != 0)
        return true;
    uint64_t pte = mm_table(hv, table)[slot];
    const struct page_info *page = mm_page(hv, pte_mfn(pte));
    if ((pte & (PTE_P | PTE_RW)) != PTE_P || !page || page->owner != v->domid || page_type(page) != PGT_l1 ||
        !page_type_count(page))
        return true;
    switch (insn_fetch(hv, v, &s.insn)) {
    case INSN_UNKNOWN:
        return false;
    case INSN_UNREADABLE:
        return true;
    case INSN_FOUND:
        break;
    }
    if (!operands(hv, v, &s, &address) || (address ^ va) & ~UINT64_C(0xfff) ||
        (s.size & (s.size - 1)) || (address & (s.size - 1)))
        return true;
    uint64_t pa = pte_mfn(pte) << 12 | (address & 0xfff);
    memcpy(&s.old, (const uint8_t *)machine_frame(hv->m, pa >> 12) + (pa & 0xfff), s.size);
    STORES[s.insn->op](&s);
    if (mm_ptwr_store(hv, v, pa, s.value, s.size) != 0)
        return true;
    *handled = true;
    write_registers(&s);
    return finish(hv, v, &s);
}
