/* multicall.c - several hypercalls in one.
 *
 * The list lives in guest memory and every entry is copied in when its turn comes, its result copied out after it.
 * Where the work is cut in two (too many entries, an entry that Python serves, one that must be continued or that blocks
 * the vcpu), the multicall becomes a continuation of itself: its two arguments tell what is left and its instruction is
 * executed again. So nothing of a half-done list is kept anywhere but in the guest's registers and, while Python works on
 * an entry, in vcpu.multicall_va and multicall_left.
 *
 * An entry is eight words of the caller's: operation, result, six arguments.
 * Facts: xen/common/multicall.c, hvm_do_multicall_call() in xen/arch/x86/hvm/hypercall.c of Xen 4.17.
 */
#include <stddef.h>
#include "arch.h"
#include "../abi/xen.h"

enum { ENTRIES_AT_ONCE = 256, IN_MULTICALL = 1, WORDS = sizeof(struct multicall_entry) / sizeof(uint64_t), RESULT = 1, ARGS = 2 };
_Static_assert(offsetof(struct multicall_entry, result) == RESULT * sizeof(uint64_t) &&
               offsetof(struct multicall_entry, args) == ARGS * sizeof(uint64_t), "an entry is words");

static uint64_t word_bytes(struct hv *hv, const struct vcpu *v) { return hv_wide_call(hv, v) ? sizeof(uint64_t) : sizeof(uint32_t); }
static uint64_t entry_bytes(struct hv *hv, const struct vcpu *v) { return WORDS * word_bytes(hv, v); }

/* Write words of an entry, from the one numbered `first`; false: the guest took the list away. */
static bool store(struct hv *hv, struct vcpu *v, uint64_t va, unsigned first, const uint64_t *words, unsigned count)
{
    uint32_t narrow[WORDS];
    uint64_t size = word_bytes(hv, v);
    for (unsigned i = 0; i < count; i++)
        narrow[i] = (uint32_t)words[i];
    const void *from = size == sizeof *words ? (const void *)words : narrow;
    return hv_copy_to_guest(hv, v, va + first * size, from, count * size) == 0;
}

static bool store_result(struct hv *hv, struct vcpu *v, uint64_t va, int64_t result)
{
    uint64_t word = (uint64_t)result;
    return store(hv, v, va, RESULT, &word, 1);
}

static bool load(struct hv *hv, struct vcpu *v, uint64_t va, struct multicall_entry *e)
{
    uint32_t narrow[WORDS];
    uint64_t words[WORDS];
    if (hv_wide_call(hv, v))
        return hv_copy_from_guest(hv, v, e, va, sizeof *e) == 0;
    if (hv_copy_from_guest(hv, v, narrow, va, sizeof narrow))
        return false;
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = narrow[i];
    memcpy(e, words, sizeof *e);
    return true;
}

/* Entries up to `va` are done: execute the multicall again with the `left` others. */
static void rewind_to(struct hv *hv, struct vcpu *v, uint64_t va, uint64_t left)
{
    hv_arch_of(hv, v)->call_again(hv, v, __HYPERVISOR_multicall, (const uint64_t[]){va, left}, 2);
}

static int64_t bad_list(struct hv *hv, const struct vcpu *v, uint64_t va)
{
    return hv_refuse(hv, RULE_bad_guest_pointer, va, entry_bytes(hv, v), 0, 0);
}

/* What a hypercall inside the list asks for beside a plain result. `*result` is what the multicall then returns. */
static bool entry_special(struct hv *hv, struct vcpu *v, uint64_t va, uint64_t left, struct multicall_entry *e,
                          int64_t *result)
{
    switch (e->result) {
    case (uint64_t)HV_TO_PYTHON:
        v->multicall_va = va;
        v->multicall_left = left;
        hv_call_to_python(hv, v, e->op, e->args, IN_MULTICALL);
        return true;
    case (uint64_t)HV_RETRY:      /* the entry takes its new arguments, and is tried again */
        if (!store(hv, v, va, ARGS, e->args, WORDS - ARGS)) {
            *result = bad_list(hv, v, va);
            return true;
        }
        rewind_to(hv, v, va, left);
        *result = HV_DONE;
        return true;
    case (uint64_t)HV_LEAVE:      /* the vcpu yields or blocks */
        if (!store_result(hv, v, va, 0))
            *result = bad_list(hv, v, va);
        else if (left > 1)
            rewind_to(hv, v, va + entry_bytes(hv, v), left - 1);
        else
            hv_set_result(hv, v, 0);
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
    uint64_t va = args[0], left = (uint32_t)args[1], size = entry_bytes(hv, v);
    const struct arch *arch = hv_arch_of(hv, v);
    if (arch->address_ok && !(arch->address_ok(va) && (!left || arch->address_ok(va + left * size - 1))))
        return hv_refuse(hv, RULE_bad_guest_pointer, va, left * size, 0, 0);
    for (unsigned n = 0; left; n++, left--, va += size) {
        struct multicall_entry e;
        if (n == ENTRIES_AT_ONCE) {
            args[0] = va;
            args[1] = left;
            return HV_RETRY;
        }
        if (!load(hv, v, va, &e))
            return bad_list(hv, v, va);
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
            return bad_list(hv, v, va);
    }
    return 0;
}

void hv_multicall_result(struct hv *hv, struct vcpu *v, int64_t result)
{
    uint64_t va = v->multicall_va, left = v->multicall_left;
    v->multicall_va = v->multicall_left = 0;
    if (!store_result(hv, v, va, result))
        hv_set_result(hv, v, bad_list(hv, v, va));
    else if (left > 1)
        rewind_to(hv, v, va + entry_bytes(hv, v), left - 1);
    else
        hv_set_result(hv, v, 0);
}

void hv_multicall_retry(struct hv *hv, struct vcpu *v, const uint64_t args[6])
{
    uint64_t va = v->multicall_va, left = v->multicall_left;
    v->multicall_va = v->multicall_left = 0;
    if (!store(hv, v, va, ARGS, args, WORDS - ARGS))
        hv_set_result(hv, v, bad_list(hv, v, va));
    else
        rewind_to(hv, v, va, left);
}
