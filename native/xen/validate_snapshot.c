/* validate_snapshot.c - may the registers of a snapshot from a file be guests'? Asked before it is restored. */
#include <stdio.h>
#include "arch.h"

static bool check_cpu(struct hv *hv, const struct hv_saved_cpu *saved, char *text, uint64_t len)
{
    const struct arch *arch = hv_arch_of_kind(saved->kind);
    struct cpu *scratch;
    if (arch && cpu_create(hv->m, arch->model, &scratch) != 0) {
        snprintf(text, len, "the host has no memory for a processor");
        return false;
    }
    const char *bad = "a processor";
    if (arch) {
        bad = hv_bind_cpu(hv, scratch, arch->kind) ? bad : arch->bad_register(hv, scratch, saved);
        cpu_destroy(scratch);
    }
    if (bad)
        snprintf(text, len, "vcpu slot %u: %s cannot be a guest's", saved->slot, bad);
    return !bad;
}

bool hv_snapshot_check(struct hv *hv, struct hv_snapshot *snapshot, char *text, uint64_t len)
{
    uint32_t count;
    const struct hv_saved_cpu *cpus = hv_snapshot_cpus(snapshot, &count);
    for (uint32_t i = 0; i < count; i++)
        if (cpus[i].slot >= HV_MAX_VCPUS || (i > 0 && cpus[i].slot <= cpus[i - 1].slot)) {
            snprintf(text, len, "vcpu slot %u: there is none, or it comes twice", cpus[i].slot);
            return false;
        }
    for (uint32_t i = 0; i < count; i++)
        if (!check_cpu(hv, &cpus[i], text, len))
            return false;
    return true;
}
