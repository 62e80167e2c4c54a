/* target.c - the mechanisms of ../target for libunicorn's AArch64, and the table of ARM cpus. */
#include "cpu.h"

#define TARGET_PAGE_VARIES 1              /* libunicorn's smallest page is one that we choose */
#define TARGET_RESTARTS_STORES 0
#define TARGET_INSN_MAX 4
#define TARGET_NATIVE(c) true
#define TARGET_KIND                                       \
    .state_bytes = sizeof(struct arm_state),              \
    .create = arm_create,                                 \
    .destroy = arm_destroy,                               \
    .set_ops = arm_set_ops,                               \
    .pc = arm_pc,                                         \
    .set_pc = arm_set_pc,                                 \
    .save = arm_save,                                     \
    .load = arm_load,
#include "../target/target.c"
