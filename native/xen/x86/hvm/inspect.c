/* inspect.c - a translation laid open, for debuggers: the guest's tables and the shadows, level by level. Changes neither.
 */
#include "shadow.h"

static struct hv_shadow_step step_of(const struct shadows *s, uint32_t number, uint32_t slot, int level)
{
    const struct shadow_key *key = &s->shadow[number].key;
    const uint64_t entry = s->entries[number][slot];
    return (struct hv_shadow_step){
        .reached = true, .number = number, .slot = (uint16_t)slot, .frame = key->frame, .kind = key->kind, .sub = key->sub,
        .to = level == 1 ? entry >> SHADOW_FRAME_SHIFT & SHADOW_FRAME_MASK : shadow_child(entry),
        .present = entry & SHADOW_P && (level == 1 || shadow_leads(s, entry)), .writable = entry & SHADOW_W,
        .user = entry & SHADOW_U, .dirty = entry & SHADOW_D, .no_exec = entry & SHADOW_XD, .read_only = entry & SHADOW_READONLY};
}

static void look_at_shadows(const struct hv *hv, const struct vcpu *v, const struct x86_paging *p, uint64_t va,
                            struct hv_guest_walk *out)
{
    const struct shadow_root *root = hv->shadows ? shadow_root_of(hv->shadows, v, p) : NULL;
    if (!root)
        return;
    const int levels = p->levels == 4 ? 4 : 3;
    out->shadow_levels = (uint32_t)levels;
    uint32_t number = root->number;
    for (int level = levels; level > 0; level--) {
        struct hv_shadow_step *step = &out->shadow[level - 1];
        *step = step_of(hv->shadows, number, shadow_slot(va, level, levels), level);
        if (!step->present)
            return;
        number = (uint32_t)step->to;
    }
}

int hv_guest_walk(struct hv *hv, const struct vcpu *v, uint64_t va, struct hv_guest_walk *out)
{
    const struct domain *d = hv_domain(hv, v);
    struct hvm_path path = {0};
    struct mapping map = {0};
    if (!is_hvm(d))
        return -EINVAL;
    *out = (struct hv_guest_walk){.root = cpu_cr(hv_cpu_of(hv, v), 3)};
    out->mapped = hvm_look(hv, v, va, ACCESS_READ, false, &path, &map);
    if (out->mapped) {
        out->gfn = map.frame;
        out->p2m = hvm_p2m_at(hv, hvm_of(hv, d), map.frame);
    }
    out->levels = (uint32_t)path.paging.levels;
    if (!out->levels)
        return 0;
    out->last = (uint32_t)path.tables.level;
    memcpy(out->entry, path.tables.entry, sizeof out->entry);
    memcpy(out->place, path.tables.entry_pa, sizeof out->place);
    look_at_shadows(hv, v, &path.paging, va, out);
    return 0;
}
