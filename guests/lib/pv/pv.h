/* pv.h (PV) - start-up, and what start_info said. */
#ifndef GUEST_PV_H
#define GUEST_PV_H
#include <stdint.h>

struct start_info;
struct vcpu_guest_context;

void guest_start(struct start_info *start) __attribute__((noreturn));
struct start_info *guest_start_info(void);
/* The struct percpu of any vcpu. */
struct percpu *cpu_area(unsigned id);
/* Map a frame at a page of the image (a page-aligned array in .bss). */
void map_frame_at(void *page, uint64_t mfn);

/* Fill in what VCPUOP_initialise wants for vcpu `id`, to run `fn(arg)` on its own stack. */
void vcpu_context(struct vcpu_guest_context *context, unsigned id, void (*fn)(void *), void *arg);
/* VCPUOP_initialise and VCPUOP_up. 0 or an errno. When fn returns, the vcpu takes itself down. */
long vcpu_start(unsigned id, void (*fn)(void *), void *arg);
/* Yield until the word is not `value` any more, at most about `turns` times. */
bool wait_while(const volatile unsigned *word, unsigned value, unsigned turns);

#endif
