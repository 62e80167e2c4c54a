/* traps.h - the hooks that cpu_create() hands to libunicorn. */
#ifndef XENLAB_TRAPS_X86_H
#define XENLAB_TRAPS_X86_H
#include "cpu.h"

void engine_on_exception(uc_struct *uc, uint32_t vector, void *user);
/* #UD. Always true: the exception is dealt with. */
bool engine_on_invalid(uc_struct *uc, void *user);

#endif
