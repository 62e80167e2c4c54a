/* xenbus.h - the guest's end of a split driver, as far as all kinds of device have it alike
 * (xen/include/public/io/xenbus.h). One device is used at a time; events are waited for by polling. */
#ifndef GUEST_XENBUS_H
#define GUEST_XENBUS_H
#include <stdbool.h>
#include <stdint.h>
#include <abi/grant_table.h>
#include <abi/io/xenbus.h>

enum { XENBUS_PATH = 80 };

struct xenbus {
    char front[XENBUS_PATH];      /* device/vbd/51712 */
    char back[XENBUS_PATH];       /* /local/domain/0/backend/vbd/1/51712 */
};

/* Find a device. False: the domain has none such. */
bool xenbus_find(struct xenbus *x, const char *kind, unsigned number);
/* A number from a node of the back end; `otherwise` when there is none. */
uint64_t xenbus_back(struct xenbus *x, const char *name, uint64_t otherwise);
/* Write a node of the front end. */
void xenbus_set(struct xenbus *x, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void xenbus_remove(struct xenbus *x, const char *name);
/* Change the front end's state; the back end's state then, once it has changed or will not soon. */
unsigned xenbus_state(struct xenbus *x, unsigned state);
/* Give the device up, with its event channel, and begin again; the back end's state when it was closed. */
unsigned xenbus_close(struct xenbus *x, uint32_t port);
unsigned xenbus_back_state(struct xenbus *x);
/* A new grant of a page to the back end. */
grant_ref_t xenbus_grant(const void *page, bool readonly);
/* Take a grant back. */
void xenbus_revoke(grant_ref_t ref);
/* A new event channel to the back end. */
uint32_t xenbus_channel(void);

#endif
