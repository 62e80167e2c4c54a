/* arm.h (ARM) - start-up, further processors, PSCI, and the parts of the machine. */
#ifndef GUEST_ARM_H
#define GUEST_ARM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/hvm.h>
#include <fdt.h>
#include <gic.h>
#include <interrupts.h>
#include <mmu.h>
#include <params.h>
#include <timer.h>

void guest_start(const void *device_tree) __attribute__((noreturn));
/* The device tree that the domain was given. */
const void *guest_device_tree(void);
/* Pages of RAM that it names. */
uint64_t guest_pages(void);
struct percpu *cpu_area(unsigned id);

/* MPIDR's affinity fields of a vcpu, as Xen numbers them. */
unsigned long cpu_affinity(unsigned id);
/* Start processor `id` by PSCI, to run fn(arg). 0, or what PSCI said. When fn returns, it turns itself off. */
long vcpu_start(unsigned id, void (*fn)(void *), void *arg);

/* Writing to another domain's frame that is mapped for reading only is an abort. */
#define READ_ONLY_FRAMES_FAULT 1

#endif
