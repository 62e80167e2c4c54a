/* tlb.c - cached translations of one cpu, and how code and data are kept apart in them.
 *
 * libunicorn's own translation is replaced by the architecture's tlb_fill, which finds a mapping; cpu_insert() caches it.
 * Physical W^X: a frame is in the cached translations of all cpus either executable or writable.
 *   fetch from a writable frame  ->  every writable translation of it goes, in every cpu
 *   store to a code frame        ->  every block translated from it and every executable translation goes
 * So plain stores run at full speed and no store to code is missed, through whatever alias it comes.
 * A frame that flips often, or whose running block stores into its own frame, is FRAME_MIXED: both translations stay,
 * the writable one is marked so that each store comes here and libunicorn checks it against the blocks byte by byte.
 *
 * Cached translations are never visible to a guest: whoever changes page tables calls machine_tlb_stale(), and stores to
 * tables that a guest writes by itself are seen here (tables.c).
 */

enum { QEMU_READ = 1, QEMU_WRITE = 2, QEMU_EXEC = 4 };

extern void REAL(tlb_flush)(char *cs);
extern void T(tb_flush_jmp_cache)(void *cs, uint64_t va);
void WRAP(tlb_flush)(char *cs);
void WRAP(tlb_reset_dirty_by_vaddr)(void *cs, uint64_t va, uint64_t bytes);

/* libunicorn goes through all cached translations for each block that it translates, to have stores to that code checked.
 * There is none to be found: the block's frame has no writable translation, or is FRAME_MIXED, whose stores are all checked. */
void WRAP(tlb_reset_dirty_by_vaddr)(void *cs, uint64_t va, uint64_t bytes)
{
    (void)cs;
    (void)va;
    (void)bytes;
}

/* What is cached for one of libunicorn's modes: a table, and behind it the last ones that had to leave that. */
struct tlb { char *desc, *table, *victims; uint64_t in_table, entries; };

static struct tlb tlb_of(struct cpu *c, int mode)
{
    char *fast = c->env + U_ENV_TO_TLB_FAST + mode * U_TLB_FAST_SIZE, *desc = c->env + U_ENV_TO_TLB_DESC + mode * U_TLB_DESC_SIZE;
    uint64_t in_table = (FIELD(uint64_t, fast, U_TLB_FAST_MASK) >> U_TLB_ENTRY_BITS) + 1;
    return (struct tlb){.desc = desc, .table = FIELD(char *, fast, U_TLB_FAST_TABLE), .victims = desc + U_TLB_DESC_VICTIMS,
                        .in_table = in_table, .entries = in_table + U_TLB_VICTIMS};
}

static char *tlb_entry(const struct tlb *t, uint64_t i)
{
    return i < t->in_table ? t->table + i * U_TLB_ENTRY_SIZE : t->victims + (i - t->in_table) * U_TLB_ENTRY_SIZE;
}

/* Visit every cached translation of `frame` in one cpu: clear the word at `offset` of each entry. */
static void drop_entries(struct cpu *c, uint64_t frame, int offset)
{
    for (int mode = 0; mode < U_TLB_MODES; mode++) {
        const struct tlb tlb = tlb_of(c, mode);
        for (uint64_t i = 0; i < tlb.entries; i++) {
            char *entry = tlb_entry(&tlb, i);
            if (FIELD(uint64_t, entry, U_TLB_ENTRY_PADDR) == frame << ENGINE_PAGE_SHIFT)
                FIELD(uint64_t, entry, offset) = UINT64_MAX;
        }
    }
}

static bool in_range(const char *entry, int word, uint64_t from, uint64_t bytes)
{
    uint64_t va = FIELD(const uint64_t, entry, word);
    return va != UINT64_MAX && (va << 16 >> 16 & ~(uint64_t)(ENGINE_PAGE_SIZE - 1)) - from < bytes;
}

static bool drop_if_in_range(char *entry, uint64_t from, uint64_t bytes)
{
    if (!in_range(entry, U_TLB_ENTRY_READ, from, bytes) && !in_range(entry, U_TLB_ENTRY_WRITE, from, bytes) &&
        !in_range(entry, U_TLB_ENTRY_CODE, from, bytes))
        return false;
    FIELD(uint64_t, entry, U_TLB_ENTRY_READ) = UINT64_MAX;
    FIELD(uint64_t, entry, U_TLB_ENTRY_WRITE) = UINT64_MAX;
    FIELD(uint64_t, entry, U_TLB_ENTRY_CODE) = UINT64_MAX;
    return true;
}

static void drop_executable(struct cpu *c, uint64_t frame) { drop_entries(c, frame, U_TLB_ENTRY_CODE); }

static void drop_writable(struct cpu *c, uint64_t frame) { drop_entries(c, frame, U_TLB_ENTRY_WRITE); }

/* Of one mode: an address has one place in the table, or is among the victims. */
static void drop_of_mode(const struct tlb *tlb, uint64_t from, uint64_t bytes)
{
    uint64_t first = from >> ENGINE_PAGE_SHIFT, pages = bytes >> ENGINE_PAGE_SHIFT, places = pages < tlb->in_table ? pages : tlb->in_table;
    for (uint64_t i = 0; i < places; i++)
        if (drop_if_in_range(tlb_entry(tlb, (first + i) & (tlb->in_table - 1)), from, bytes))
            FIELD(uint64_t, tlb->desc, U_TLB_DESC_USED)--;
    for (uint64_t i = tlb->in_table; i < tlb->entries; i++)
        drop_if_in_range(tlb_entry(tlb, i), from, bytes);
}

/* libunicorn remembers which block was found at an address. A block is found where a fetch has been translated. */
static void forget_blocks_at(struct cpu *c, uint64_t from, uint64_t bytes)
{
    if (c->fetched_count > FETCHED_PAGES) {
        memset(c->cs + U_CS_TB_JMP_CACHE, 0, U_CS_TB_JMP_CACHE_ENTRIES * sizeof(void *));
        return;
    }
    for (unsigned i = 0; i < c->fetched_count; i++)
        if ((c->fetched[i] << 16 >> 16) - from < bytes)
            T(tb_flush_jmp_cache)(c->cs, c->fetched[i]);
}

static void note_fetched(struct cpu *c, uint64_t page)
{
    if (c->fetched_count < FETCHED_PAGES)
        c->fetched[c->fetched_count] = page;
    if (c->fetched_count <= FETCHED_PAGES)
        c->fetched_count++;
}

/* Nothing is cached any more. */
void WRAP(tlb_flush)(char *cs)
{
    struct cpu *c = cpu_of_cs(cs);
    if (c)                        /* else it is being made */
        c->fetched_count = 0;
    REAL(tlb_flush)(cs);
}

static void drop_range(struct cpu *c, uint64_t from, uint64_t to)
{
    for (int mode = 0; mode < U_TLB_MODES; mode++) {
        const struct tlb tlb = tlb_of(c, mode);
        drop_of_mode(&tlb, from, to - from);
    }
    forget_blocks_at(c, from, to - from);
}

static bool next_cached(struct cpu *c, uint64_t *at, struct cached *out)
{
    enum { KINDS = 3 };
    static const struct { int word; uint32_t prot; } KIND[KINDS] = {
        {U_TLB_ENTRY_READ, MAP_READ}, {U_TLB_ENTRY_WRITE, MAP_WRITE}, {U_TLB_ENTRY_CODE, MAP_EXEC}};
    uint64_t place = 0;
    for (int mode = 0; mode < U_TLB_MODES; mode++) {
        const struct tlb tlb = tlb_of(c, mode);
        for (uint64_t i = 0; i < tlb.entries; i++, place++) {
            const char *entry = tlb_entry(&tlb, i);
            if (place < *at)
                continue;
            *out = (struct cached){.user = mode == U_MMU_USER};
            for (int k = 0; k < KINDS; k++) {
                uint64_t word = FIELD(const uint64_t, entry, KIND[k].word);
                if (word == UINT64_MAX || word & U_TLB_FLAG_INVALID)
                    continue;
                out->va = word & ~(uint64_t)(ENGINE_PAGE_SIZE - 1);
                out->prot |= KIND[k].prot;
            }
            if (!out->prot)
                continue;
            out->frame = FIELD(const uint64_t, entry, U_TLB_ENTRY_PADDR) >> ENGINE_PAGE_SHIFT;
            if (out->frame >= DEVICE_WINDOW >> ENGINE_PAGE_SHIFT) {
                out->frame -= DEVICE_WINDOW >> ENGINE_PAGE_SHIFT;
                out->prot |= MAP_DEVICE;
            }
            *at = place + 1;
            return true;
        }
    }
    return false;
}

static void drop_blocks(struct cpu *c, uint64_t from, uint64_t to) { T(tb_invalidate_phys_range)(c->uc, from, to); }

static void flush_code(struct cpu *c)
{
    c->block_ra = 0;
    T(tb_flush)(c->cs);
}

static void flush(struct cpu *c) { T(tlb_flush)(c->cs); }

/* Does the block that is running at `ra` come from `frame`? */
static bool running_from(struct cpu *c, uint64_t frame, uintptr_t ra)
{
    const char *block = cpu_block_at(c, ra);
    if (!block)
        return false;
    const uint64_t *pages = (const uint64_t *)(block + U_TB_PAGE_ADDR);
    return pages[0] >> ENGINE_PAGE_SHIFT == frame || (pages[1] != UINT64_MAX && pages[1] >> ENGINE_PAGE_SHIFT == frame);
}

/* A store into the block that does it, of which the rest is already translated: it is executed alone. */
static void store_to_itself(struct cpu *c, uint64_t pa, int size, uintptr_t ra)
{
    const char *block = cpu_block_at(c, ra);
    if (!block || FIELD(const uint16_t, block, U_TB_ICOUNT) == 1)
        return;
    const uint64_t *pages = (const uint64_t *)(block + U_TB_PAGE_ADDR);
    const uint64_t start = (pages[0] & ~(uint64_t)(ENGINE_PAGE_SIZE - 1)) | (FIELD(const uint64_t, block, U_TB_PC) & (ENGINE_PAGE_SIZE - 1));
    const uint64_t bytes = size > 0 ? (uint64_t)size : 1;
    if (pa < start + FIELD(const uint16_t, block, U_TB_SIZE) && start < pa + bytes)
        cpu_again_alone(c, ra);
}

/* A store is about to go to a frame that code was translated from. Returns true when the store must be checked. */
static bool store_to_code(struct cpu *c, uint64_t pa, int size, uintptr_t ra)
{
    struct machine *m = c->m;
    uint64_t frame = pa >> ENGINE_PAGE_SHIFT;
    uint8_t *flags = &m->flags[frame];
    if (!TARGET_RESTARTS_STORES)
        store_to_itself(c, pa, size, ra);
    if (!(*flags & FRAME_MIXED)) {
        if (m->flips[frame] < UINT8_MAX)
            m->flips[frame]++;
        if (!running_from(c, frame, ra) && m->flips[frame] <= FRAME_FLIPS_MAX) {
            machine_drop_code(m, frame);
            return false;
        }
        *flags |= FRAME_MIXED;
    }
    /* libunicorn checks the store against this cpu's blocks by itself; the other cpus' are checked here. */
    for (int i = 0; i < m->cpu_count; i++)
        if (m->cpus[i] && m->cpus[i] != c)
            m->cpus[i]->kind->drop_blocks(m->cpus[i], pa, pa + (uint64_t)(size ? size : 1));
    return true;
}

/* The translation just inserted: plain stores need no check. */
static void mark_checked(struct cpu *c, int mmu, uint64_t va)
{
    char *fast = c->env + U_ENV_TO_TLB_FAST + mmu * U_TLB_FAST_SIZE;
    uint64_t index = (va >> ENGINE_PAGE_SHIFT) & (FIELD(uint64_t, fast, U_TLB_FAST_MASK) >> U_TLB_ENTRY_BITS);
    char *entry = FIELD(char *, fast, U_TLB_FAST_TABLE) + index * U_TLB_ENTRY_SIZE;
    FIELD(uint64_t, entry, U_TLB_ENTRY_WRITE) &= ~(uint64_t)U_TLB_FLAG_NOTDIRTY;
}

void cpu_insert(struct cpu *c, uint64_t va, const struct mapping *map, int size, enum access access, int mmu, uintptr_t ra)
{
    struct machine *m = c->m;
    const uint64_t page = va & ~(uint64_t)(ENGINE_PAGE_SIZE - 1), bytes = map->page_bytes ? map->page_bytes : ENGINE_PAGE_SIZE;
    if (map->prot & MAP_DEVICE) {
        T(tlb_set_page)(c->cs, page, DEVICE_WINDOW + (map->frame << ENGINE_PAGE_SHIFT), (int)(map->prot & (QEMU_READ | QEMU_WRITE)),
                        mmu, bytes);
        return;
    }
    uint8_t *flags = &m->flags[map->frame];
    uint64_t pa = map->frame << ENGINE_PAGE_SHIFT;
    int prot = (int)(map->prot & QEMU_READ);
    bool plain = true;
    if (access == ACCESS_FETCH) {
        if ((*flags & (FRAME_WRITABLE | FRAME_MIXED)) == FRAME_WRITABLE)
            machine_drop_writable(m, map->frame);
        *flags |= FRAME_CODE;
        prot |= QEMU_EXEC;
        note_fetched(c, page);
    } else if (access == ACCESS_WRITE) {
        prot |= QEMU_WRITE;
        if (*flags & FRAME_CODE && store_to_code(c, pa | (va & 0xfff), size, ra)) {
            prot |= U_PROT_WRITE_INV;
            plain = false;
        }
        if (*flags & FRAME_TABLE && tables_store(c, va, map->frame, size, ra))
            prot |= U_PROT_WRITE_INV;
        *flags |= FRAME_WRITABLE | FRAME_DIRTY;
    } else if (map->prot & MAP_WRITE &&
               (*flags & (FRAME_CODE | FRAME_TABLE | FRAME_DIRTY | FRAME_WRITABLE)) == (FRAME_DIRTY | FRAME_WRITABLE)) {
        prot |= QEMU_WRITE;       /* writable and dirty already: spare the second fill */
    }
    T(tlb_set_page)(c->cs, page, pa, prot, mmu, bytes);
    if (plain && prot & QEMU_WRITE)
        mark_checked(c, mmu, va);
}
