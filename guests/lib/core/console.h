/* console.h - the PV console ring (xen/include/public/io/console.h), with console_io where there is no ring.
 *
 * `console=io` on the command line prefers the hypercall.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H
#include <stddef.h>
#include <stdint.h>
struct xencons_interface;

/* Use this ring and port; `ring` NULL: console_io. */
void console_init(struct xencons_interface *ring, uint32_t port);
void console_write(const char *text, size_t length);
/* Wait, for a bounded number of turns, until the back end has read everything. */
void console_drain(void);
/* Up to `size` bytes of input that is there now. */
size_t console_read(char *out, size_t size);
struct xencons_interface *console_ring(void);
uint32_t console_port(void);

#endif
