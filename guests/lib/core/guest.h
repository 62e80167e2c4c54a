/* guest.h - the one header a guest program includes.
 *
 * A guest test is one C file with `void test_main(void)`. The library starts the machine up, calls it, prints the
 * verdict and shuts the domain down. <arch.h> comes from the environment's folder (pv64, ...): everything that
 * differs between environments is behind it.
 */
#ifndef GUEST_H
#define GUEST_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/errno.h>
#include <abi/xen.h>
#include <abi/event_channel.h>
#include <abi/sched.h>
#include <abi/vcpu.h>

#include <arch.h>
#include <hypercall.h>
#include <text.h>
#include <print.h>
#include <verdict.h>
#include <console.h>
#include <events.h>
#include <clock.h>

/* What the test file defines. Returning from it without a word means success. */
void test_main(void);

/* The text of the domain's command line ("" when there is none). */
const char *guest_cmdline(void);
/* The number behind `name=` on the command line, or `otherwise`. Decimal, or hexadecimal with 0x. */
uint64_t guest_option(const char *name, uint64_t otherwise);

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* One read, one write, that the compiler may not merge, drop or repeat. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#endif
