/* evidence.c - what is copied at the moment of a call, because later it is gone: its arguments' memory and the stack.
 *
 * Everything is a peek: no accessed bit is set and nothing is marked, so that looking on changes no guest. How much is
 * worth copying is told by the table; what lies behind a structure's end is copied too, and ignored by the decoder.
 */
#include <stdlib.h>
#include "arch.h"
#include "../abi/xen.h"
#include "../abi/memory.h"
#include "../abi/version.h"

/* Which argument points to memory, and which counts the elements there (ONE: it is one structure), of how many bytes. */
enum { ONE = 0xff, ANY_STRUCT = 64, PREEMPTED = 0x80000000 };
struct area { uint8_t present, pointer, count, bytes; };
static const struct area AREAS[NR_HYPERCALLS] = {
    [__HYPERVISOR_set_trap_table] = {1, 0, ONE, EVIDENCE_DATA - 1},
    [__HYPERVISOR_mmu_update] = {1, 0, 1, sizeof(struct mmu_update)},
    [__HYPERVISOR_set_gdt] = {1, 0, ONE, ANY_STRUCT},
    [__HYPERVISOR_memory_op] = {1, 1, ONE, sizeof(struct xen_memory_exchange)},
    [__HYPERVISOR_xen_version] = {1, 1, ONE, sizeof(struct xen_compile_info)},
    [__HYPERVISOR_console_io] = {1, 2, 1, 1},
    [__HYPERVISOR_grant_table_op] = {1, 1, 2, 40},
    [__HYPERVISOR_vcpu_op] = {1, 2, ONE, ANY_STRUCT},
    [__HYPERVISOR_mmuext_op] = {1, 0, 1, sizeof(struct mmuext_op)},
    [__HYPERVISOR_nmi_op] = {1, 1, ONE, ANY_STRUCT},
    [__HYPERVISOR_sched_op] = {1, 1, ONE, ANY_STRUCT},
    [__HYPERVISOR_callback_op] = {1, 1, ONE, ANY_STRUCT},
    [__HYPERVISOR_event_channel_op] = {1, 1, ONE, ANY_STRUCT},
    [__HYPERVISOR_physdev_op] = {1, 1, ONE, ANY_STRUCT},
    [__HYPERVISOR_hvm_op] = {1, 1, ONE, ANY_STRUCT},
};

uint32_t hv_argument_area(uint64_t nr, const uint64_t args[6], uint64_t *va, uint32_t max)
{
    const struct area *area = nr < NR_HYPERCALLS ? &AREAS[nr] : NULL;

    *va = 0;
    if (!area || !area->present || args[area->pointer] == 0)
        return 0;
    uint64_t count = area->count == ONE ? 1 : (uint32_t)args[area->count] & ~(uint32_t)PREEMPTED;
    uint64_t bytes = count * area->bytes;
    *va = args[area->pointer];
    return bytes < max ? (uint32_t)bytes : max;
}

void hv_take_evidence(struct hv *hv, const struct vcpu *v, uint64_t nr, const uint64_t args[6], struct evidence *out)
{
    uint32_t length;

    uint64_t stack = hv_arch_of(hv, v)->registers(hv_cpu_of(hv, v), out);
    length = hv_argument_area(nr, args, &out->data_va, sizeof out->data);
    out->data_length = (uint32_t)hv_peek(hv, v, out->data, out->data_va, length);
    out->stack_length = (uint32_t)hv_peek(hv, v, out->stack, stack, sizeof out->stack);
}

int hv_keep_evidence(struct hv *hv, bool on)
{
    free(hv->evidence);
    hv->evidence = on ? calloc(HV_REFUSAL_LOG, sizeof *hv->evidence) : NULL;
    return on && !hv->evidence ? -ENOMEM : 0;
}

uint32_t hv_refusal_evidence(struct hv *hv, struct evidence *out, uint32_t max)
{
    uint32_t n = 0;

    for (uint32_t at = hv->log_tail; hv->evidence && n < max && at != hv->log_head; at++)
        out[n++] = hv->evidence[at % HV_REFUSAL_LOG];
    return n;
}
