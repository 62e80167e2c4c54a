/* tss.h (hvm32) - the task-state segment of 32 bits. Facts: Intel SDM volume 3, 7.2.1. */
#ifndef GUEST_HVM32_TSS_H
#define GUEST_HVM32_TSS_H
#include <stdint.h>
#include <text.h>

struct tss32 {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
};

/* A task of ring 0 that begins at `entry`, in the address space of the caller, with interrupts off. */
static inline void tss32_init(struct tss32 *tss, void (*entry)(void), void *stack)
{
    memset(tss, 0, sizeof(*tss));
    tss->cr3 = (uint32_t)read_cr3();
    tss->eip = (uint32_t)entry;
    tss->esp = (uint32_t)stack;
    tss->eflags = X86_EFLAGS_MBS;
    tss->cs = KERNEL_CS;
    tss->ss = tss->ds = tss->es = KERNEL_SS;
    tss->io_map = sizeof(*tss);
}

#endif
