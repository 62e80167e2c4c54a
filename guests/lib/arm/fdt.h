/* fdt.h (ARM) - read the device tree that the domain was given. Facts: Devicetree Specification 0.4, chapter 5. */
#ifndef GUEST_ARM_FDT_H
#define GUEST_ARM_FDT_H
#include <stdbool.h>
#include <stdint.h>

enum { FDT_MAGIC = 0xd00dfeed };

/* A property of the node at `path` ("/chosen", "" for the root), and its length; NULL: there is none. A component of the
 * path without "@" also finds a node whose name goes on with "@". */
const void *fdt_property(const void *tree, const char *path, const char *name, uint32_t *length);
/* Cell `index` of such a property; `otherwise` when it is not that long. */
uint32_t fdt_cell(const void *tree, const char *path, const char *name, unsigned index, uint32_t otherwise);
/* Two cells as one number. */
uint64_t fdt_cells(const void *tree, const char *path, const char *name, unsigned index);
/* Whether one of the texts of a property (compatible) is `text`. */
bool fdt_has_text(const void *tree, const char *path, const char *name, const char *text);

#endif
