/* hvm.h (HVM) - start-up, further processors. */
#ifndef GUEST_HVM_H
#define GUEST_HVM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/hvm.h>
#include <interrupts.h>
#include <params.h>

enum { EVENT_VECTOR = 0xf3 };

struct hvm_start_info;
struct multiboot_info;
void guest_start(struct hvm_start_info *start) __attribute__((noreturn));
/* NULL: the domain was not entered by PVH. */
struct hvm_start_info *guest_start_info(void);
/* NULL: it is no Multiboot kernel. */
const struct multiboot_info *guest_multiboot(void);
struct percpu *cpu_area(unsigned id);
/* The first bytes of an item of QEMU's firmware configuration device (zeros behind its end); the command line in it. */
void fw_cfg_read(uint16_t item, void *to, size_t size);
const char *fw_cfg_cmdline(void);

/* Start processor `id` by INIT and SIPI, to run fn(arg). 0, or -1 when it does not come. When fn returns, it halts. */
long vcpu_start(unsigned id, void (*fn)(void *), void *arg);

/* Writing to another domain's frame that is mapped for reading only does nothing (P2M_DISCARD_WRITE_TYPES of Xen). */
#define READ_ONLY_FRAMES_FAULT 0

#endif
