/* validate_cpu.c - may these registers be a guest's? Asked of registers that come from a file.
 *
 * A PV guest runs at CPL 3 in long mode from its first to its last instruction, on the hypervisor's descriptor tables.
 * What it cannot change must therefore be what pv_reset_cpu() makes it; what it can change must be a value that the
 * processor would have let it load. The rest (page table, CR4, CR0.TS, debug registers, the LDT's limit) follows from
 * struct vcpu, and hv_validate() compares it.
 */
#include <stddef.h>
#include "../validate.h"
#include "pv.h"

#define RFLAGS_GUEST (RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)
enum { X87_BYTES = 10, X87_STRIDE = 16 };

#define FIXED(field) {#field, offsetof(struct x86_state, field), sizeof(((struct x86_state *)NULL)->field)}
/* What no PV guest can change. */
static const struct { const char *name; size_t offset, size; } fixed_fields[] = {
    FIXED(efer), FIXED(star), FIXED(lstar), FIXED(cstar), FIXED(fmask), FIXED(kernel_gs_base), FIXED(sysenter_cs),
    FIXED(sysenter_esp), FIXED(sysenter_eip), FIXED(pat), FIXED(tsc_aux), FIXED(xcr0), FIXED(gdt_base), FIXED(gdt_limit),
    FIXED(idt_base), FIXED(idt_limit), FIXED(cr8), FIXED(halted), FIXED(pending_exception), FIXED(pad0), FIXED(nmi_blocked),
    FIXED(segments[SEG_TR]),
};

/* The name of the first field that cannot be a guest's, NULL: all can. */
static const char *bad_fixed(const struct x86_state *s, const struct x86_state *reset)
{
    for (size_t i = 0; i < sizeof fixed_fields / sizeof *fixed_fields; i++)
        if (memcmp((const char *)s + fixed_fields[i].offset, (const char *)reset + fixed_fields[i].offset,
                   fixed_fields[i].size) != 0)
            return fixed_fields[i].name;
    return NULL;
}

static bool segment_ok(enum x86_segment seg, const struct x86_segment_state *s)
{
    bool wide = seg == SEG_FS || seg == SEG_GS, ring = seg == SEG_CS || seg == SEG_SS;
    if (s->selector > 0xffff || (!wide && s->base > UINT32_MAX))
        return false;
    if (s->attributes == 0 && !ring)
        return true;
    return (!ring || (s->selector & 3) == 3) && !(s->attributes & ~0x00f0ff00u) && seg_loadable(seg, s->attributes);
}

static const char *bad_segment(const struct x86_state *s)
{
    static const char *const names[] = {
        [SEG_ES] = "es", [SEG_CS] = "cs", [SEG_SS] = "ss", [SEG_DS] = "ds", [SEG_FS] = "fs", [SEG_GS] = "gs",
    };
    for (int i = SEG_ES; i <= SEG_GS; i++)
        if (!segment_ok((enum x86_segment)i, &s->segments[i]))
            return names[i];
    return NULL;
}

static const char *bad_value(const struct hv *hv, const struct x86_state *s)
{
    if ((s->rflags & ~RFLAGS_GUEST) != (RFLAGS_IF | 2))
        return "rflags";
    if ((s->cr0 & ~CR0_TS) != CR0_PV)
        return "cr0";
    if (s->cr3 >> ENGINE_PAGE_SHIFT >= machine_frames(hv->m) || s->cr3 & (ENGINE_PAGE_SIZE - 1))
        return "cr3";
    if (s->interrupt_shadow > 1)
        return "interrupt_shadow";
    if (s->dr[6] >> 32)
        return "dr6";
    for (int i = 0; i < (int)sizeof s->x87; i++)
        if (i % X87_STRIDE >= X87_BYTES && s->x87[i] != 0)
            return "x87";
    return bad_segment(s);
}

const char *pv_bad_register(const struct hv *hv, struct cpu *scratch, const struct hv_saved_cpu *saved)
{
    struct x86_state reset;
    pv_reset_cpu(scratch, saved->slot);
    cpu_get_state(scratch, &reset);
    const char *bad = bad_fixed(&saved->state, &reset);
    return bad ? bad : bad_value(hv, &saved->state);
}

/* What hv_vcpu_load() makes of struct vcpu must be what the registers were; but in DR6 the processor and we note different
 * things, and the guest reads ours. */
bool pv_vcpu_ok(struct validation *c, struct vcpu *v)
{
    struct x86_state before, after;
    for (unsigned i = 0; i < 256; i++)
        if (!x86_canonical(v->traps[i].address))
            return validate_fail(c, "vcpu slot %u: the handler of trap %u", v->slot, i);
    if (!pv_debugregs_ok(v) || v->ctrlreg[4] != pv_fixup_cr4(v->ctrlreg[4]) || v->ldt_base % ENGINE_PAGE_SIZE ||
        !pv_guest_address(v->ldt_base) || !x86_canonical(v->ldt_base))
        return validate_fail(c, "vcpu slot %u: a control or debug register, or where its LDT is", v->slot);
    cpu_get_state(hv_cpu_of(c->hv, v), &before);
    if (v->initialised)
        hv_vcpu_load(c->hv, v);
    cpu_set_dr(hv_cpu_of(c->hv, v), 6, before.dr[6]);
    cpu_get_state(hv_cpu_of(c->hv, v), &after);
    return memcmp(&before, &after, sizeof before) == 0 ||
           validate_fail(c, "vcpu slot %u: its registers are not those of its state", v->slot);
}
