/* fdt.c (ARM) - a reader of flattened device trees. */
#include <guest.h>
#include <fdt.h>

enum { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4, STRUCTURE = 8, STRINGS = 12, MOST_DEPTH = 16 };

static uint32_t word(const void *at)
{
    const uint8_t *b = at;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Behind the component of `path` that a node's name answers to; NULL: it does not. */
static const char *below(const char *path, const char *name)
{
    size_t n = 0;

    if (*path != '/')
        return NULL;
    path++;
    while (path[n] && path[n] != '/')
        n++;
    return strncmp(path, name, n) == 0 && (name[n] == 0 || name[n] == '@') ? path + n : NULL;
}

const void *fdt_property(const void *tree, const char *path, const char *wanted, uint32_t *length)
{
    const char *base = tree, *strings = base + word(base + STRINGS), *rest[MOST_DEPTH];
    int depth = -1;

    for (const char *at = base + word(base + STRUCTURE);;) {
        uint32_t token = word(at);

        at += 4;
        if (token == BEGIN_NODE) {
            if (++depth == MOST_DEPTH)
                broken("the device tree is too deep");
            /* What of the path is left below this node; NULL: it is not on the path. */
            rest[depth] = depth == 0 ? path : rest[depth - 1] ? below(rest[depth - 1], at) : NULL;
            at += (strlen(at) + 4) & ~3UL;
        } else if (token == END_NODE) {
            if (--depth < 0)
                return NULL;
        } else if (token == PROPERTY) {
            uint32_t size = word(at);

            if (rest[depth] && *rest[depth] == 0 && strcmp(strings + word(at + 4), wanted) == 0) {
                *length = size;
                return at + 8;
            }
            at += 8 + ((size + 3) & ~3u);
        } else if (token != NOP) {
            return NULL;
        }
    }
}

uint32_t fdt_cell(const void *tree, const char *path, const char *name, unsigned index, uint32_t otherwise)
{
    uint32_t length;
    const char *value = fdt_property(tree, path, name, &length);

    return value && 4 * (index + 1) <= length ? word(value + 4 * index) : otherwise;
}

uint64_t fdt_cells(const void *tree, const char *path, const char *name, unsigned index)
{
    return (uint64_t)fdt_cell(tree, path, name, index, 0) << 32 | fdt_cell(tree, path, name, index + 1, 0);
}

bool fdt_has_text(const void *tree, const char *path, const char *name, const char *text)
{
    uint32_t length = 0;
    const char *value = fdt_property(tree, path, name, &length);

    for (uint32_t at = 0; value && at < length; at += (uint32_t)strlen(value + at) + 1)
        if (strcmp(value + at, text) == 0)
            return true;
    return false;
}
