/* pv_cpu.c - a PV guest's processor: as it is from birth, and as its vcpu's state says. */
#include "pv.h"

enum { GDT_WINDOW_STRIDE = 0x20000, GDT_LIMIT = 0xefff, LDT_OFFSET = 0x10000 };
#define GDT_WINDOW 0xffff82d000000000ull

void pv_reset_cpu(struct cpu *cpu, uint32_t slot)
{
    struct x86_state s;
    cpu_get_state(cpu, &s);
    s.cr0 = CR0_PV;
    s.cr4 = CR4_PV_VISIBLE;
    s.efer = EFER_PV;
    s.rflags = RFLAGS_IF | 2;
    s.dr[6] = DR6_DEFAULT;
    s.dr[7] = DR7_DEFAULT;
    s.fcw = 0x37f;
    s.mxcsr = 0x1f80;
    s.gdt_base = GDT_WINDOW + (uint64_t)slot * GDT_WINDOW_STRIDE;
    s.gdt_limit = GDT_LIMIT;
    s.segments[SEG_LDT] = (struct x86_segment_state){.base = s.gdt_base + LDT_OFFSET};
    for (int i = SEG_ES; i <= SEG_GS; i++)
        memset(&s.segments[i], 0, sizeof s.segments[i]);
    seg_flat(FLAT_KERNEL_CS, &s.segments[SEG_CS]);
    seg_flat(FLAT_KERNEL_SS, &s.segments[SEG_SS]);
    cpu_set_state(cpu, &s);
}

void hv_vcpu_load(struct hv *hv, struct vcpu *v)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    uint64_t window = GDT_WINDOW + (uint64_t)v->slot * GDT_WINDOW_STRIDE;
    cpu_set_gdt(cpu, window, GDT_LIMIT);
    cpu_set_ldt(cpu, window + LDT_OFFSET, v->ldt_entries ? v->ldt_entries * 8 - 1 : 0);
    pv_set_ts(hv, v, v->fpu_taskswitch);
    pv_set_guest_cr4(hv, v, v->ctrlreg[4]);
    for (int i = 0; i < 8; i++)
        if (i < 4 || i > 5)
            cpu_set_dr(cpu, i, v->debugreg[i]);
    mm_load_cr3(hv, v);
}
