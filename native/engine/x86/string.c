/* string.c - REP MOVS and REP STOS: many iterations at once.
 *
 * libunicorn makes each iteration a block of its own. In front of one, as many as possible of the others are made here, by
 * memcpy, and charged to the budget one by one: no count, no register and no byte of memory is another one than before.
 * Invariants. At least one iteration is left to libunicorn, which also takes those that are not plain: where a page has no
 * cached translation or one that wants a look at each access (a device, code, a page table, a watchpoint), backwards, with
 * segment bases or checks, 16-bit addresses, one element over a page's end. The budget is never overdrawn, so timers and the
 * end of a turn come where they came. Not while instructions are looked at one by one: single step, a breakpoint here, a
 * limit of blocks, the hook of machine_count_by_hook(); tests compare with these.
 */
#include "cpu.h"

enum { REPEAT = 0xf3, OPERAND_SIZE = 0x66, REX = 0x40, REX_W = 8, PREFIXES = 14 };
enum { MOVSB = 0xa4, MOVS = 0xa5, STOSB = 0xaa, STOS = 0xab };
enum { FORM_SIZE = 0xf, FORM_MOVES = 0x10, FORM_WIDE = 0x20 };      /* bytes of an element; MOVS, else STOS; 64-bit addresses */
enum { FEWEST = 4 };                  /* fewer are not worth a look */

/* ---- translating ---- */

/* Is the block one whose iterations libunicorn need not see, as far as its flags say? */
static bool plain_block(const struct cpu *c, uint32_t flags)
{
    if (c->m->stepwise || c->m->block_limit || flags & (HF_INHIBIT_IRQ | HF_TF | RFLAGS_RF))
        return false;
    if (flags & RFLAGS_AC && (flags & HF_CPL) == 3)
        return false;
    return flags & HF_CS64 || (flags & HF_CS32 && !(flags & (HF_ADDSEG | HF_CHECK_SEGMENTS)));
}

/* Of the instruction at `pc`: FORM_*, 0: it is none of ours. No byte behind it is read. */
static uint64_t form_of(struct cpu *c, uint64_t pc, bool wide)
{
    bool repeats = false, words = false;
    uint8_t rex = 0, byte = cpu_ldub_code_x86_64(c->env, pc);
    for (unsigned n = 0; n < PREFIXES && cpu_is_prefix(byte, wide); n++) {
        bool is_rex = wide && (byte & 0xf0) == REX;
        if (rex || (!is_rex && byte != REPEAT && byte != OPERAND_SIZE))
            return 0;                                 /* a REX is the last prefix, or a matter for libunicorn */
        rex = is_rex ? byte : 0;
        repeats |= byte == REPEAT;
        words |= byte == OPERAND_SIZE;
        byte = cpu_ldub_code_x86_64(c->env, ++pc);
    }
    uint64_t size = rex & REX_W ? 8 : words ? 2 : 4, form = wide ? FORM_WIDE : 0;
    if (!repeats)
        return 0;
    switch (byte) {
    case MOVSB: return form | FORM_MOVES | 1;
    case MOVS:  return form | FORM_MOVES | size;
    case STOSB: return form | 1;
    case STOS:  return form | size;
    default:    return 0;
    }
}

void cpu_string_before(struct cpu *c, void *ctx, uint64_t pc)
{
    uint32_t flags = FIELD(const uint32_t, c->translating, U_TB_FLAGS);
    if (!plain_block(c, flags) || machine_planted(c->m, pc))
        return;
    uint64_t form = form_of(c, pc, flags & HF_CS64);
    if (form)
        cpu_emit_hook(ctx, HOOK_STRING, form);
}

/* ---- running ---- */

/* Where a plain access to `va` would go on the host, NULL: there is no cached translation, or it wants a look. This is the
 * comparison that generated code makes. */
static uint8_t *plain(struct cpu *c, uint64_t va, int word)
{
    uint32_t flags = ENV(uint32_t, U_ENV_HFLAGS);
    bool any = !(flags & HF_SMAP) || ENV(uint64_t, U_ENV_EFLAGS) & RFLAGS_AC;
    int mmu = (flags & HF_CPL) == 3 ? U_MMU_USER : any ? MMU_KERNEL : MMU_KERNEL_SMAP;
    char *fast = c->env + U_ENV_TO_TLB_FAST + mmu * U_TLB_FAST_SIZE;
    uint64_t index = (va >> ENGINE_PAGE_SHIFT) & (FIELD(uint64_t, fast, U_TLB_FAST_MASK) >> U_TLB_ENTRY_BITS);
    char *entry = FIELD(char *, fast, U_TLB_FAST_TABLE) + index * U_TLB_ENTRY_SIZE;
    if (FIELD(uint64_t, entry, word) != (va & ~(uint64_t)(ENGINE_PAGE_SIZE - 1)))
        return NULL;
    return (uint8_t *)(va + FIELD(uint64_t, entry, U_TLB_ENTRY_ADDEND));
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Elements that lie in va's page as a whole. */
static uint64_t room(uint64_t va, uint64_t size) { return (ENGINE_PAGE_SIZE - (va & (ENGINE_PAGE_SIZE - 1))) / size; }

/* The first element, then what is there already behind itself. */
static void fill(uint8_t *to, uint64_t value, uint64_t size, uint64_t bytes)
{
    memcpy(to, &value, size);
    for (uint64_t have = size; have < bytes; have *= 2)
        memcpy(to + have, to, least(have, bytes - have));
}

/* One page's part of `most` iterations; returns how many. */
static uint64_t some(struct cpu *c, uint64_t form, uint64_t mask, uint64_t most)
{
    const struct x86_gprs *g = cpu_gprs(c);
    uint64_t size = form & FORM_SIZE, rdi = g->rdi & mask, rsi = g->rsi & mask;
    uint64_t count = least(most, room(rdi, size));
    uint8_t *to = count ? plain(c, rdi, U_TLB_ENTRY_WRITE) : NULL;
    if (!to)
        return 0;
    if (!(form & FORM_MOVES)) {
        fill(to, g->rax, size, count * size);
        return count;
    }
    count = least(count, room(rsi, size));
    const uint8_t *from = count ? plain(c, rsi, U_TLB_ENTRY_READ) : NULL;
    if (!from)
        return 0;
    /* What an iteration has written may be what a later one reads: only as far as that does not happen. */
    uint64_t ahead = (uint64_t)(uintptr_t)to - (uint64_t)(uintptr_t)from;
    if (ahead && ahead < count * size)
        count = ahead / size;
    memmove(to, from, count * size);
    return count;
}

void cpu_string_run(struct cpu *c, uint64_t form)
{
    struct x86_gprs *g = cpu_gprs(c);
    uint64_t mask = form & FORM_WIDE ? UINT64_MAX : UINT32_MAX, size = form & FORM_SIZE, left = g->rcx & mask;
    if (left <= FEWEST || LEFT <= FEWEST || c->watching || ENV(int32_t, U_ENV_DF) != 1)
        return;
    left = least(left - 1, (uint64_t)LEFT);
    while (left) {
        uint64_t done = some(c, form, mask, left);
        if (!done)
            return;
        g->rdi = (g->rdi + done * size) & mask;
        if (form & FORM_MOVES)
            g->rsi = (g->rsi + done * size) & mask;
        g->rcx = (g->rcx - done) & mask;
        LEFT -= (int64_t)done;
        left -= done;
    }
}
