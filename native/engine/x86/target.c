/* target.c - the mechanisms of ../target for libunicorn's x86-64, and the table of x86 cpus. */
#include "cpu.h"

#define TARGET_PAGE_VARIES 0
#define TARGET_RESTARTS_STORES 1
#define TARGET_INSN_MAX 15
#define TARGET_NATIVE(c) ((c)->ops->native)               /* else nobody looks at registers in the middle of a block */
#define TARGET_KIND                                       \
    .state_bytes = sizeof(struct x86_state),              \
    .create = x86_create,                                 \
    .destroy = x86_destroy,                               \
    .set_ops = x86_set_ops,                               \
    .pc = x86_pc,                                         \
    .set_pc = x86_set_pc,                                 \
    .save = x86_save,                                     \
    .load = x86_load,
#include "../target/target.c"
