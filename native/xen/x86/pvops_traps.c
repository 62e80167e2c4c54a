/* pvops_traps.c - hypercalls by which a guest kernel names its entry points: trap table, callbacks, NMI.
 * Facts: xen/arch/x86/pv/callback.c of Xen 4.17. */
#include "pv.h"
#include "../../abi/callback.h"
#include "../../abi/nmi.h"

enum { TRAPS_AT_ONCE = 512 };

int64_t do_set_trap_table(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    if (args[0] == 0) {           /* no table: forget every handler */
        memset(v->traps, 0, sizeof v->traps);
        return 0;
    }
    for (unsigned n = 0; n < TRAPS_AT_ONCE; n++, args[0] += sizeof(struct trap_info)) {
        struct trap_info t;
        if (hv_copy_from_guest(hv, v, &t, args[0], sizeof t))
            return hv_refuse(hv, RULE_bad_guest_pointer, args[0], sizeof t, 0, 0);
        if (t.address == 0)
            return 0;
        if (!x86_canonical(t.address))
            return hv_refuse(hv, RULE_callback_canonical, t.address, 0, 0, 0);
        v->traps[t.vector] = (struct hv_trap){
            .address = t.address, .cs = t.cs | 3, .flags = t.flags & 7, .vector = t.vector};
    }
    return HV_RETRY;              /* args[0] has moved on */
}

/* ---- callbacks ---- */

static int64_t register_nmi(struct vcpu *v, uint64_t address)
{
    v->traps[VECTOR_NMI] = (struct hv_trap){.address = address, .cs = FLAT_KERNEL_CS, .flags = 4, .vector = VECTOR_NMI};
    return 0;
}

static int64_t unregister_nmi(struct vcpu *v)
{
    memset(&v->traps[VECTOR_NMI], 0, sizeof v->traps[VECTOR_NMI]);
    return 0;
}

/* Callback types to slots of vcpu.callbacks, each plus one; the NMI's is an entry of the trap table. */
static const uint8_t SLOT[] = {
    [CALLBACKTYPE_event] = 1 + CB_EVENT, [CALLBACKTYPE_failsafe] = 1 + CB_FAILSAFE,
    [CALLBACKTYPE_syscall] = 1 + CB_SYSCALL, [CALLBACKTYPE_nmi] = 1 + CB_NMI,
    [CALLBACKTYPE_sysenter] = 1 + CB_SYSENTER, [CALLBACKTYPE_syscall32] = 1 + CB_SYSCALL32,
};

static unsigned slot_of(uint32_t type) { return type < sizeof SLOT ? SLOT[type] : 0; }

int64_t pv_callback(struct hv *hv, struct vcpu *v, uint32_t type, uint32_t flags, uint64_t address)
{
    unsigned slot = slot_of(type);
    if (!x86_canonical(address))
        return hv_refuse(hv, RULE_callback_canonical, address, 0, 0, 0);
    if (slot == 0)
        return hv_refuse(hv, RULE_callback_type, type, 0, 0, 0);
    if (type == CALLBACKTYPE_nmi)
        return register_nmi(v, address);
    v->callbacks[slot - 1] = (struct hv_callback){
        .address = address, .cs = FLAT_KERNEL_CS, .mask_events = flags & CALLBACKF_mask_events, .registered = 1};
    return 0;
}

/* Three callbacks at once; an address that is refused leaves that one as it was, and no errno says so. */
int64_t do_set_callbacks(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    pv_callback(hv, v, CALLBACKTYPE_event, 0, args[0]);
    pv_callback(hv, v, CALLBACKTYPE_failsafe, 0, args[1]);
    pv_callback(hv, v, CALLBACKTYPE_syscall, 0, args[2]);
    return 0;
}

int64_t do_callback_op(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    uint32_t command = (uint32_t)args[0];
    if (command == CALLBACKOP_register) {
        struct callback_register r;
        if (hv_copy_from_guest(hv, v, &r, args[1], sizeof r))
            return hv_refuse(hv, RULE_bad_guest_pointer, args[1], sizeof r, 0, 0);
        return pv_callback(hv, v, r.type, r.flags, r.address);
    }
    if (command == CALLBACKOP_unregister) {
        struct callback_unregister u;
        if (hv_copy_from_guest(hv, v, &u, args[1], sizeof u))
            return hv_refuse(hv, RULE_bad_guest_pointer, args[1], sizeof u, 0, 0);
        if (u.type == CALLBACKTYPE_nmi)
            return unregister_nmi(v);
        return slot_of(u.type) ? hv_refuse(hv, RULE_callback_unregister, u.type, 0, 0, 0)
                               : hv_refuse(hv, RULE_callback_type, u.type, 0, 0, 0);
    }
    return hv_refuse(hv, RULE_unknown_subop, __HYPERVISOR_callback_op, command, 0, 0);
}

int64_t do_nmi_op(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    uint32_t command = (uint32_t)args[0];
    struct xennmi_callback cb;
    if (command == XENNMI_unregister_callback)
        return unregister_nmi(v);
    if (command != XENNMI_register_callback)
        return hv_refuse(hv, RULE_unknown_subop, __HYPERVISOR_nmi_op, command, 0, 0);
    if (hv_copy_from_guest(hv, v, &cb, args[1], sizeof cb))
        return hv_refuse(hv, RULE_bad_guest_pointer, args[1], sizeof cb, 0, 0);
    return pv_callback(hv, v, CALLBACKTYPE_nmi, 0, cb.handler_address);
}
