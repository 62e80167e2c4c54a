/* harness.h - what the tests of native/xen/arm call: those of its files that need neither an engine nor a hypervisor. */
#include "xen/arm/psci.h"
#include "xen/arm/vgic.h"
#include "xen/arm/vtimer.h"
