/* multicall.c - several hypercalls in one.
 *
 * The list lives in guest memory and every entry is copied in when its turn comes, its result copied out after it.
 * Where the work is cut in two (too many entries, an entry that Python serves, one that must be continued or that blocks
 * the vcpu), the multicall becomes a continuation of itself: rdi and rsi point at what is left and the SYSCALL is
 * executed again. So nothing of a half-done list is kept anywhere but in the guest's registers and, while Python works on
 * an entry, in vcpu.multicall_va and multicall_left.
 * Facts: xen/common/multicall.c of Xen 4.17.
 */
#include <stddef.h>
#include "pv.h"

enum { ENTRIES_AT_ONCE = 256, SYSCALL_BYTES = 2, IN_MULTICALL = 1 };

/* Store an entry's result; false: the guest took the list away. */
static bool store_result(struct hv *hv, struct vcpu *v, uint64_t va, int64_t result)
{
    return hv_copy_to_guest(hv, v, va + offsetof(struct multicall_entry, result), &result, sizeof result) == 0;
}

/* Entries up to `va` are done: execute the multicall again with the `left` others. */
static void rewind_to(struct hv *hv, struct vcpu *v, uint64_t va, uint64_t left)
{
    struct x86_gprs *g = cpu_gprs(hv_cpu_of(hv, v));
    g->rax = __HYPERVISOR_multicall;
    g->rdi = va;
    g->rsi = left;
    g->rip -= SYSCALL_BYTES;
}

/* What a hypercall inside the list asks for beside a plain result. `*result` is what the multicall then returns. */
static bool entry_special(struct hv *hv, struct vcpu *v, uint64_t va, uint64_t left, struct multicall_entry *e,
                          int64_t *result)
{
    switch (e->result) {
    case (uint64_t)HV_TO_PYTHON:
        v->multicall_va = va;
        v->multicall_left = left;
        hypercall_to_python(hv, v, e->op, e->args, IN_MULTICALL);
        return true;
    case (uint64_t)HV_RETRY:      /* the entry takes its new arguments, and is tried again */
        if (hv_copy_to_guest(hv, v, va + offsetof(struct multicall_entry, args), e->args, sizeof e->args)) {
            *result = hv_refuse(hv, RULE_bad_guest_pointer, va, sizeof *e, 0, 0);
            return true;
        }
        rewind_to(hv, v, va, left);
        *result = HV_DONE;
        return true;
    case (uint64_t)HV_LEAVE:      /* the vcpu yields or blocks */
        if (!store_result(hv, v, va, 0))
            *result = hv_refuse(hv, RULE_bad_guest_pointer, va, sizeof *e, 0, 0);
        else if (left > 1)
            rewind_to(hv, v, va + sizeof *e, left - 1);
        else
            cpu_gprs(hv_cpu_of(hv, v))->rax = 0;
        return true;
    case (uint64_t)HV_DONE:       /* iret: the registers are those of another context now */
        *result = HV_DONE;
        return true;
    default:
        return false;
    }
}

int64_t do_multicall(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    uint64_t va = args[0], left = (uint32_t)args[1];
    if (!pv_guest_address(va) || (left && !pv_guest_address(va + left * sizeof(struct multicall_entry) - 1)))
        return hv_refuse(hv, RULE_bad_guest_pointer, va, left * sizeof(struct multicall_entry), 0, 0);
    for (unsigned n = 0; left; n++, left--, va += sizeof(struct multicall_entry)) {
        struct multicall_entry e;
        if (n == ENTRIES_AT_ONCE) {
            args[0] = va;
            args[1] = left;
            return HV_RETRY;
        }
        if (hv_copy_from_guest(hv, v, &e, va, sizeof e))
            return hv_refuse(hv, RULE_bad_guest_pointer, va, sizeof e, 0, 0);
        uint64_t record = hv_log_entry(hv, v, e.op, e.args);
        if (e.op == __HYPERVISOR_multicall)
            e.result = (uint64_t)hv_refuse(hv, RULE_multicall_nested, 0, 0, 0, 0);
        else
            e.result = (uint64_t)hv_hypercall(hv, v, e.op, e.args);
        int64_t result = HV_LEAVE;
        if (hv_domain(hv, v)->shut_down)
            return HV_DONE;
        if (entry_special(hv, v, va, left, &e, &result))
            return result;
        hv_log_answer(hv, record, (int64_t)e.result);
        if (!store_result(hv, v, va, (int64_t)e.result))
            return hv_refuse(hv, RULE_bad_guest_pointer, va, sizeof e, 0, 0);
    }
    return 0;
}

void hv_multicall_result(struct hv *hv, struct vcpu *v, int64_t result)
{
    struct x86_gprs *g = cpu_gprs(hv_cpu_of(hv, v));
    uint64_t va = v->multicall_va, left = v->multicall_left;
    v->multicall_va = v->multicall_left = 0;
    if (!store_result(hv, v, va, result))
        g->rax = (uint64_t)hv_refuse(hv, RULE_bad_guest_pointer, va, sizeof(struct multicall_entry), 0, 0);
    else if (left > 1)
        rewind_to(hv, v, va + sizeof(struct multicall_entry), left - 1);
    else
        g->rax = 0;
}

void hv_multicall_retry(struct hv *hv, struct vcpu *v, const uint64_t args[6])
{
    uint64_t va = v->multicall_va, left = v->multicall_left;
    v->multicall_va = v->multicall_left = 0;
    if (hv_copy_to_guest(hv, v, va + offsetof(struct multicall_entry, args), args, 6 * sizeof args[0]))
        cpu_gprs(hv_cpu_of(hv, v))->rax =
            (uint64_t)hv_refuse(hv, RULE_bad_guest_pointer, va, sizeof(struct multicall_entry), 0, 0);
    else
        rewind_to(hv, v, va, left);
}
