/* api.h - what Python sees of ARM domains beside ../xen.h, which includes it (also preprocessed into cffi). */
#ifndef XENLAB_ARM_API_H
#define XENLAB_ARM_API_H

struct arm_domain *hv_arm_domain(struct hv *hv, const struct domain *d);
struct arm_vcpu *hv_arm_vcpu(struct hv *hv, const struct vcpu *v);
/* Interrupt controller (GICv2, GICv3) with so many shared interrupts, and timers, as a reset leaves them, once the domain has its
 * vcpus. 0, or -EINVAL: there is no such controller, or it cannot have so many vcpus. */
int hv_arm_reset(struct hv *hv, struct domain *d, uint32_t gic, uint32_t spis);
/* Drive an input of it: a shared interrupt by its number, from 32. */
void hv_arm_set_spi(struct hv *hv, struct domain *d, uint32_t intid, bool level);

#endif
