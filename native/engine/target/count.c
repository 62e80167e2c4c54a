/* count.c - exact instruction counts: what libunicorn emits is changed while it translates.
 *
 * libunicorn calls helper_check_exit_request at the start of each block, and after each memory access. Here the first
 * call of a translation becomes inline code that charges the whole block to the budget and leads to the helper only when
 * that is overdrawn; the later calls vanish (a stop after an access would execute the instruction twice).
 * A block that ends early, by a fault or a self-modifying store, gives back what it did not retire:
 * the budget is exact whenever no generated code runs.
 *
 * Blocks never cross into another page (only a block's first instruction may), so a fetch fault belongs to the
 * instruction that needs the page, and results do not depend on where blocks begin.
 */

typedef struct TCGOp TCGOp;
typedef struct TCGLabel TCGLabel;

extern TCGOp *T(tcg_emit_op)(void *ctx, int opcode);
extern TCGLabel *T(gen_new_label)(void *ctx);
extern void T(tcg_gen_exit_tb)(void *ctx, const void *tb, unsigned index);
extern char *T(tcg_tb_lookup)(void *ctx, uintptr_t ra);
extern void T(tcg_gen_brcondi_i64)(void *ctx, int cond, uintptr_t value, int64_t imm, TCGLabel *label);
extern void REAL(gen_intermediate_code)(char *cs, char *tb, int max);
extern void REAL(translator_loop)(const void *ops, char *db, char *cs, char *tb, int max);
extern bool REAL(cpu_restore_state)(char *cs, uintptr_t ra, bool will_exit);
extern void REAL(restore_state_to_opc)(char *env, char *tb, uint64_t *data);
extern void REAL(cpu_loop_exit_noexc)(char *cs) __attribute__((noreturn));

void WRAP(helper_check_exit_request)(void *pointer, uint32_t why);
void WRAP(tcg_gen_callN)(void *ctx, void *function, TCGTemp *ret, int n, TCGTemp **args);
void WRAP(gen_intermediate_code)(char *cs, char *tb, int max);
void WRAP(translator_loop)(const void *ops, char *db, char *cs, char *tb, int max);
void WRAP(restore_state_to_opc)(char *env, char *tb, uint64_t *data);
void WRAP(cpu_loop_exit_noexc)(char *cs) __attribute__((noreturn));

/* ---- emitting ---- */

static TCGOp *emit(void *ctx, int opcode, uintptr_t a, uintptr_t b, uintptr_t c)
{
    TCGOp *op = T(tcg_emit_op)(ctx, opcode);
    uintptr_t *args = (uintptr_t *)((char *)op + U_TCG_OP_ARGS);
    args[0] = a;
    if (opcode == U_TCG_SET_LABEL)
        return op;
    args[1] = b;
    if (opcode != U_TCG_MOVI_I64 && opcode != U_TCG_MOVI_I32)
        args[2] = c;
    return op;
}

void cpu_set_label(void *ctx, void *label)
{
    *(uint32_t *)label |= 1;      /* TCGLabel.present */
    emit(ctx, U_TCG_SET_LABEL, (uintptr_t)label, 0, 0);
}

static TCGTemp *temp64(void *ctx) { return T(tcg_temp_new_internal)(ctx, U_TCG_T_I64, false); }

TCGTemp *cpu_constant(void *ctx, int type, uint64_t value)
{
    TCGTemp *temp = T(tcg_temp_new_internal)(ctx, type, false);
    emit(ctx, type == U_TCG_T_I32 ? U_TCG_MOVI_I32 : U_TCG_MOVI_I64, (uintptr_t)temp, value, 0);
    return temp;
}

static void free_temps(void *ctx, TCGTemp *const *temps, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        T(tcg_temp_free_internal)(ctx, temps[i]);
}

/* The context's `uc` leads to the cpu: CPUState.opaque holds ours. */
struct cpu *cpu_of_context(void *ctx)
{
    char *uc = FIELD(char *, (char *)ctx, U_TCG_CTX_UC);
    return cpu_of_cs(FIELD(char *, uc, U_UC_CPU));
}

void WRAP(tcg_gen_callN)(void *ctx, void *function, TCGTemp *ret, int n, TCGTemp **args)
{
    if (function != (void *)WRAP(helper_check_exit_request)) {
        REAL(tcg_gen_callN)(ctx, function, ret, n, args);
        return;
    }
    struct cpu *c = cpu_of_context(ctx);
    if (!c->block_open)
        return;
    c->block_open = false;

    uintptr_t env = (uintptr_t)cpu_env_temp(ctx);
    TCGTemp *left = temp64(ctx), *count = temp64(ctx);
    emit(ctx, U_TCG_LD_I64, (uintptr_t)left, env, (uintptr_t)U_ENV_TO_LEFT);
    c->charge_op = emit(ctx, U_TCG_MOVI_I64, (uintptr_t)count, 0, 0);
    emit(ctx, U_TCG_SUB_I64, (uintptr_t)left, (uintptr_t)left, (uintptr_t)count);
    emit(ctx, U_TCG_ST_I64, (uintptr_t)left, env, (uintptr_t)U_ENV_TO_LEFT);
    c->overdrawn = T(gen_new_label)(ctx);
    T(tcg_gen_brcondi_i64)(ctx, U_TCG_C_LT, (uintptr_t)((char *)left - (char *)ctx), 0, c->overdrawn);
    free_temps(ctx, (TCGTemp *const[]){count, left}, 2);
}

/* Why a block calls the helper: it is the only one of libunicorn's that we may call, so it does two things. */
enum { CALL_OVERDRAWN = 0, CALL_BREAKPOINT = 1 };

static void emit_call(void *ctx, const char *tb, unsigned why)
{
    TCGTemp *pointer = cpu_constant(ctx, U_TCG_T_I64, (uintptr_t)tb), *reason = cpu_constant(ctx, U_TCG_T_I32, why);
    TCGTemp *args[2] = {pointer, reason};
    REAL(tcg_gen_callN)(ctx, (void *)WRAP(helper_check_exit_request), NULL, 2, args);
    free_temps(ctx, args, 2);
}

/* Behind the block's own code, out of its way: call the helper with the block. */
static void emit_overdrawn(struct cpu *c, void *ctx, char *tb)
{
    if (!c->overdrawn)
        return;
    cpu_set_label(ctx, c->overdrawn);
    emit_call(ctx, tb, CALL_OVERDRAWN);
    T(tcg_gen_exit_tb)(ctx, NULL, 0);
    c->overdrawn = NULL;
}

/* End the block where the next instruction could need another page, or has a breakpoint. */
static void translate_insn_in_page(void *db, void *cs)
{
    struct cpu *c = cpu_of_cs(cs);
    void *ctx = FIELD(void *, (char *)c->uc, U_UC_TCG_CTX);
    if (FIELD(uint32_t, (char *)db, U_DCB_NUM_INSNS) == 1 && machine_planted(c->m, FIELD(uint64_t, (char *)db, U_DCB_PC_NEXT)))
        emit_call(ctx, c->translating, CALL_BREAKPOINT);
    c->end_block = false;
    target_translate_insn(c, ctx, db, cs);
    uint64_t next = FIELD(uint64_t, (char *)db, U_DCB_PC_NEXT);
    bool may_cross = (next & ~UINT64_C(0xfff)) != ((next + TARGET_INSN_MAX - 1) & ~UINT64_C(0xfff)) || (next & 0xfff) == 0;
    if ((may_cross || machine_planted(c->m, next) || c->end_block) && FIELD(uint32_t, (char *)db, U_DCB_IS_JMP) == U_DCB_NEXT)
        FIELD(uint32_t, (char *)db, U_DCB_IS_JMP) = U_DCB_TOO_MANY;
}

void WRAP(translator_loop)(const void *ops, char *db, char *cs, char *tb, int max)
{
    _Alignas(16) char own_ops[U_OPS_SIZE];
    struct cpu *c = cpu_of_cs(cs);
    c->translating = tb;
    target_begin_block(c);
    memcpy(own_ops, ops, sizeof own_ops);
    memcpy(&c->translate_insn, own_ops + U_OPS_TRANSLATE_INSN, sizeof c->translate_insn);
    void (*const wrapped)(void *, void *) = translate_insn_in_page;
    memcpy(own_ops + U_OPS_TRANSLATE_INSN, &wrapped, sizeof wrapped);
    REAL(translator_loop)(own_ops, db, cs, tb, max);
    emit_overdrawn(c, FIELD(void *, (char *)c->uc, U_UC_TCG_CTX), tb);
}

void WRAP(gen_intermediate_code)(char *cs, char *tb, int max)
{
    struct cpu *c = cpu_of_cs(cs);
    c->charge_op = NULL;
    c->overdrawn = NULL;
    c->block_open = true;
    c->block = NULL;              /* whatever ran before has retired */
    c->block_ra = 0;
    FIELD(struct cpu *, tb, U_TB_ORIG_TB) = c;        /* a field of libunicorn's that only uncached blocks use */
    if (c->m->block_limit && max > (int)c->m->block_limit)
        max = (int)c->m->block_limit;
    REAL(gen_intermediate_code)(cs, tb, max);
    if (c->charge_op)
        ((uintptr_t *)((char *)c->charge_op + U_TCG_OP_ARGS))[1] = FIELD(uint16_t, tb, U_TB_ICOUNT);
    if (c->m->coverage)
        coverage_note(c->m->coverage, FIELD(uint64_t, tb, U_TB_PC), FIELD(uint16_t, tb, U_TB_SIZE));
}

/* ---- giving back ---- */

static int64_t sleb128(const uint8_t **at)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (shift < 64 && (byte & 0x40))
        value |= ~UINT64_C(0) << shift;
    return (int64_t)value;
}

/* Index in block `tb` of the instruction at `pc`, -1 when it has none there. The block's search data, behind its code,
 * holds for each instruction the differences of its start words and of its host address. */
static int insn_index(const char *tb, uint64_t pc)
{
    const uint8_t *at = FIELD(const uint8_t *const, tb, U_TB_TC_PTR) + FIELD(const size_t, tb, U_TB_TC_SIZE);
    int n = FIELD(const uint16_t, tb, U_TB_ICOUNT);
    uint64_t start = FIELD(const uint64_t, tb, U_TB_PC);
    for (int i = 0; i < n; i++) {
        start += (uint64_t)sleb128(&at);
        for (int word = 1; word < U_INSN_START_WORDS + 1; word++)
            sleb128(&at);
        if (start == pc)
            return i;
    }
    return -1;
}

int64_t cpu_unretired(const struct cpu *c, uint64_t pc)
{
    if (!c->block)
        return 0;
    if (pc == FIELD(const uint64_t, c->block, U_TB_PC) + FIELD(const uint16_t, c->block, U_TB_SIZE))
        return 0;                 /* behind the last one, as calls of the hypervisor are: no search for what is known */
    int index = insn_index(c->block, pc);
    return index < 0 ? 0 : FIELD(const uint16_t, c->block, U_TB_ICOUNT) - index;
}

static int64_t unretired(const struct cpu *c) { return cpu_unretired(c, target_linear_pc(c)); }

const char *cpu_block_at(struct cpu *c, uintptr_t ra)
{
    if (!ra)
        return NULL;
    if (c->block_ra != ra) {
        c->block_ra = ra;
        c->block_at_ra = T(tcg_tb_lookup)(FIELD(void *, (char *)c->uc, U_UC_TCG_CTX), ra - 1);
    }
    return c->block_at_ra;
}

static bool running(struct cpu *c, uintptr_t ra, struct running *out)
{
    const char *block = cpu_block_at(c, ra);
    if (block)
        *out = (struct running){FIELD(const uint64_t, block, U_TB_PC), FIELD(const uint16_t, block, U_TB_SIZE)};
    return block;
}

void WRAP(restore_state_to_opc)(char *env, char *tb, uint64_t *data)
{
    struct cpu *c = cpu_of_env(env);
    c->restored_block = tb;
    c->restored_pc = data[0];
    REAL(restore_state_to_opc)(env, tb, data);
}

/* Give back what the block did not retire, the instruction that was restored being the next one to run. */
static void give_back_restored(struct cpu *c)
{
    if (!c->restored_block)
        return;
    c->block = c->restored_block;
    LEFT += cpu_unretired(c, c->restored_pc);
    c->m->hooked--;               /* it had started */
    c->block = NULL;
    c->restored_block = NULL;
    c->settled = true;
}

bool WRAP(cpu_restore_state)(char *cs, uintptr_t ra, bool will_exit)
{
    struct cpu *c = cpu_of_cs(cs);
    c->restored_block = NULL;
    ra = target_helper_ra(c, ra);
    if (will_exit)
        target_restored(c);
    bool found = REAL(cpu_restore_state)(cs, ra, will_exit);
    if (will_exit)
        give_back_restored(c);
    c->restored_block = NULL;
    return found;
}

/* A store into the running block: libunicorn restored the state by itself and executes the store again, alone. */
void WRAP(cpu_loop_exit_noexc)(char *cs)
{
    give_back_restored(cpu_of_cs(cs));
    cpu_of_cs(cs)->settled = false;
    REAL(cpu_loop_exit_noexc)(cs);
}

void cpu_settle(struct cpu *c, uintptr_t ra, int length)
{
    c->block = cpu_block_at(c, ra);
    LEFT += cpu_unretired(c, target_linear_pc(c) + (uint64_t)(int64_t)length);
    c->block = NULL;
    c->settled = true;
}

/* ---- what blocks call at their start, when nothing of them has run: the budget does not reach to the end, or the first
 * instruction has a breakpoint ---- */

static void at_breakpoint(struct cpu *c, const char *tb)
{
    uint64_t pc = FIELD(const uint64_t, tb, U_TB_PC);
    if (!machine_breakpoint_at(c->m, pc))
        return;
    int64_t count = FIELD(const uint16_t, tb, U_TB_ICOUNT);
    LEFT += count;
    target_at_block(c, tb);
    if (c->ops->breakpoint(c->ops->ctx, c, pc)) {
        cpu_leave_at_breakpoint(c);
        cpu_leave_helper(c);
    }
    LEFT -= count;
}

void WRAP(helper_check_exit_request)(void *block, uint32_t why)
{
    const char *tb = block;
    struct cpu *c = FIELD(struct cpu *const, tb, U_TB_ORIG_TB);
    if (why == CALL_BREAKPOINT) {
        at_breakpoint(c, tb);
        return;
    }
    LEFT += FIELD(const uint16_t, tb, U_TB_ICOUNT);
    target_at_block(c, tb);
    if (c->watching)
        cpu_watch_next(c, FIELD(const uint16_t, tb, U_TB_ICOUNT));
    if (LEFT <= 0) {
        c->exit.reason = EXIT_BUDGET;
        cpu_leave_helper(c);
    }
    /* Fewer instructions left than the block has: a block of just so many, translated apart. */
    CS(uint32_t, U_CS_CFLAGS_NEXT_TB) = (uint32_t)(LEFT < U_CFLAGS_COUNT_MASK ? LEFT : U_CFLAGS_COUNT_MASK);
    T(cpu_loop_exit)(c->cs);
}
