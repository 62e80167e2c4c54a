/* machine.h - what x86 has in every machine, for its tables (machine.c). */
#ifndef XENLAB_X86_MACHINE_H
#define XENLAB_X86_MACHINE_H
#include "../arch.h"

bool x86_frames_ok(struct validation *c);             /* validate_frames.c */

#endif
