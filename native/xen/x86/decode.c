/* decode.c - the cache of decoded instructions, and access to their operands.
 *
 * Invariants: an entry is found only by bytes that equal its own, in the same mode; a guest cannot make the cache grow
 * without bound (when it is full it is emptied); no entry names a register that does not exist (hv_decode_add checks).
 * Encodings are prefix-free within one mode, so at most one entry matches the bytes at an address.
 */
#include <stdlib.h>
#include "decode.h"
#include "pv.h"

enum { DECODE_ENTRIES = 4096, DECODE_BUCKETS = 4096, DECODE_KEY_BYTES = 3, INSN_MAX_BYTES = 15 };

struct decode_entry {
    uint8_t bytes[INSN_MAX_BYTES];
    uint8_t mode;
    uint16_t next;                /* index + 1 of the next entry of the bucket; 0: none */
    struct insn insn;
};

struct decode_cache {
    uint32_t count;
    uint16_t bucket[DECODE_BUCKETS];     /* index + 1 */
    struct decode_entry entries[DECODE_ENTRIES];
};

struct decode_cache *decode_create(void) { return calloc(1, sizeof(struct decode_cache)); }

void decode_destroy(struct decode_cache *cache) { free(cache); }

/* An instruction is filed under its first three bytes, or all of them when it is shorter. */
static uint32_t bucket_of(const uint8_t *bytes, uint32_t key_bytes, uint32_t mode)
{
    uint32_t hash = mode ^ (key_bytes << 8);
    for (uint32_t i = 0; i < key_bytes; i++)
        hash = (hash ^ bytes[i]) * 0x9e3779b1u;
    return (hash >> 16) % DECODE_BUCKETS;
}

const struct insn *decode_find(const struct decode_cache *cache, const uint8_t *bytes, uint32_t length, uint32_t mode)
{
    for (uint32_t key = length < DECODE_KEY_BYTES ? length : DECODE_KEY_BYTES; key > 0; key--)
        for (uint32_t i = cache->bucket[bucket_of(bytes, key, mode)]; i; i = cache->entries[i - 1].next) {
            const struct decode_entry *e = &cache->entries[i - 1];
            if (e->mode == mode && e->insn.length <= length && memcmp(e->bytes, bytes, e->insn.length) == 0)
                return &e->insn;
        }
    return NULL;
}

static bool register_ok(uint32_t number) { return number <= 19; }
static bool address_part_ok(uint32_t number) { return number < 16 || number == INSN_REG_NONE; }

static bool operand_ok(const struct insn_operand *op)
{
    if (op->size > 16 || (op->size & (op->size - 1)))
        return false;
    switch ((enum insn_operand_kind)op->kind) {
    case OPERAND_NONE:
    case OPERAND_IMMEDIATE:
        return true;
    case OPERAND_REGISTER:
        return register_ok(op->reg) && op->size <= 8 && (op->reg < INSN_REG_HIGH || op->size == 1);
    case OPERAND_SYSTEM:
        return op->reg < 16;
    case OPERAND_MEMORY:
        return op->segment < SEG_LDT && (address_part_ok(op->base) || op->base == INSN_REG_RIP) &&
               address_part_ok(op->index) && op->scale <= 8;
    }
    return false;
}

int hv_decode_add(struct hv *hv, const uint8_t *bytes, uint32_t length, uint32_t mode, const struct insn *insn)
{
    struct decode_cache *cache = hv->decode;
    if (length == 0 || length > INSN_MAX_BYTES || insn->length != length || insn->op >= INSN_COUNT ||
        (mode != 64 && mode != 32 && mode != 16) || insn->operand_count > 3 || insn->operand_size > 16)
        return -EINVAL;
    for (uint32_t i = 0; i < 3; i++)
        if (!operand_ok(&insn->operands[i]))
            return -EINVAL;
    if (cache->count == DECODE_ENTRIES)
        memset(cache, 0, sizeof *cache);
    struct decode_entry *e = &cache->entries[cache->count++];
    memcpy(e->bytes, bytes, length);
    e->mode = (uint8_t)mode;
    e->insn = *insn;
    uint16_t *bucket = &cache->bucket[bucket_of(bytes, length < DECODE_KEY_BYTES ? length : DECODE_KEY_BYTES, mode)];
    e->next = *bucket;
    *bucket = (uint16_t)cache->count;
    return 0;
}

uint32_t insn_mode(struct cpu *cpu)
{
    struct x86_segment_state cs;
    cpu_get_segment(cpu, SEG_CS, &cs);
    return cs.attributes & SEG_ATTR_L ? 64 : cs.attributes & SEG_ATTR_DB ? 32 : 16;
}

/* Host address of the page of code at `va` in the vcpu's present page table, remembered until translations go stale. NULL:
 * it cannot be read. */
static const uint8_t *code_page(struct hv *hv, struct vcpu *v, uint64_t va)
{
    struct code_page *last = &hv->code_page;
    uint64_t root = v->kernel_mode ? v->cr3_kernel : v->cr3_user, page = va >> ENGINE_PAGE_SHIFT;
    struct mapping map;
    if (last->host && last->root == root && last->page == page && !hv->tlb_stale)
        return last->host;
    if (!pv_guest_address(va) || !mm_translate(hv, hv_cpu_of(hv, v), va, ACCESS_READ, true, &map))
        return NULL;
    *last = (struct code_page){.root = root, .page = page, .host = machine_frame(hv->m, map.frame)};
    return last->host;
}

/* Bytes at rip: 15, or as many as the page holds when the next one cannot be read. */
static uint32_t fetch_bytes(struct hv *hv, struct vcpu *v, uint32_t mode, uint8_t bytes[INSN_MAX_BYTES])
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    uint64_t va = cpu_gprs(cpu)->rip;
    if (mode != 64)
        va = (uint32_t)(va + cpu_segment_base(cpu, SEG_CS));
    uint32_t offset = va & (ENGINE_PAGE_SIZE - 1), rest = ENGINE_PAGE_SIZE - offset;
    const uint8_t *page = code_page(hv, v, va);
    if (!page)
        return 0;
    if (rest >= INSN_MAX_BYTES) {
        memcpy(bytes, page + offset, INSN_MAX_BYTES);
        return INSN_MAX_BYTES;
    }
    memcpy(bytes, page + offset, rest);
    return hv_copy_from_guest(hv, v, bytes + rest, va + rest, INSN_MAX_BYTES - rest) ? rest : INSN_MAX_BYTES;
}

enum insn_status insn_fetch(struct hv *hv, struct vcpu *v, const struct insn **out)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    uint32_t mode = insn_mode(cpu);
    uint8_t bytes[16] = {0};
    uint32_t length = fetch_bytes(hv, v, mode, bytes);
    if (length == 0)
        return INSN_UNREADABLE;
    *out = decode_find(hv->decode, bytes, length, mode);
    if (*out)
        return INSN_FOUND;
    struct cpu_exit *e = cpu_exit_record(cpu);
    memset(e, 0, sizeof *e);
    e->reason = EXIT_DECODE;
    e->address = cpu_gprs(cpu)->rip;
    e->error = mode;
    e->nr = length;
    memcpy(e->args, bytes, sizeof bytes);
    return INSN_UNKNOWN;
}

static uint64_t mask_of(uint32_t size) { return size >= 8 ? ~0ull : (1ull << (size * 8)) - 1; }

/* The engine's order of the general registers is the encoding's. */
static uint64_t *register_at(struct cpu *cpu, uint32_t number)
{
    struct x86_gprs *g = cpu_gprs(cpu);
    uint64_t *const order[16] = {&g->rax, &g->rcx, &g->rdx, &g->rbx, &g->rsp, &g->rbp, &g->rsi, &g->rdi,
                                 &g->r8, &g->r9, &g->r10, &g->r11, &g->r12, &g->r13, &g->r14, &g->r15};
    return order[number & 15];
}

uint64_t insn_read_register(struct cpu *cpu, uint32_t number, uint32_t size)
{
    if (number >= INSN_REG_HIGH)
        return *register_at(cpu, number - INSN_REG_HIGH) >> 8 & 0xff;
    return *register_at(cpu, number) & mask_of(size);
}

void insn_write_register(struct cpu *cpu, uint32_t number, uint32_t size, uint64_t value)
{
    if (number >= INSN_REG_HIGH) {
        uint64_t *r = register_at(cpu, number - INSN_REG_HIGH);
        *r = (*r & ~0xff00ull) | (value & 0xff) << 8;
        return;
    }
    uint64_t *r = register_at(cpu, number);
    *r = size >= 4 ? value & mask_of(size) : (*r & ~mask_of(size)) | (value & mask_of(size));
}

uint64_t insn_read(struct cpu *cpu, const struct insn_operand *op)
{
    return op->kind == OPERAND_REGISTER ? insn_read_register(cpu, op->reg, op->size)
                                        : (uint64_t)op->value & mask_of(op->size);
}

void insn_write(struct cpu *cpu, const struct insn_operand *op, uint64_t value)
{
    if (op->kind == OPERAND_REGISTER)
        insn_write_register(cpu, op->reg, op->size, value);
}

uint64_t insn_address(struct cpu *cpu, const struct insn *insn, const struct insn_operand *op)
{
    uint64_t offset = (uint64_t)op->value;
    if (op->base == INSN_REG_RIP)
        offset += cpu_gprs(cpu)->rip + insn->length;
    else if (op->base != INSN_REG_NONE)
        offset += *register_at(cpu, op->base);
    if (op->index != INSN_REG_NONE)
        offset += *register_at(cpu, op->index) * op->scale;
    offset &= mask_of(insn->address_size);
    if (insn_mode(cpu) != 64)
        return (uint32_t)(offset + cpu_segment_base(cpu, op->segment));
    if (op->segment == SEG_FS || op->segment == SEG_GS)
        return offset + cpu_segment_base(cpu, op->segment);
    return offset;
}

bool insn_done(struct hv *hv, struct vcpu *v, const struct insn *insn)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct x86_gprs *g = cpu_gprs(cpu);
    uint64_t rflags = cpu_rflags(cpu);
    g->rip += insn->length;
    if (insn_mode(cpu) != 64)
        g->rip = (uint32_t)g->rip;
    cpu_retire(cpu);
    if (rflags & RFLAGS_RF)
        cpu_set_rflags(cpu, rflags & ~RFLAGS_RF);
    if (rflags & RFLAGS_TF) {
        v->debugreg[6] |= DR6_DEFAULT | DR6_BS;
        return pv_inject(hv, v, VECTOR_DB, 0);
    }
    return pv_resume(hv, v);
}
