/* pvops_debug.c - the debug registers of a PV guest, by hypercall and by emulated mov dr.
 *
 * vcpu.debugreg holds what the guest sees, but for [5]: the enable bits of I/O breakpoints, which our port emulation
 * watches itself (they must not be armed in the processor). Addresses in the hypervisor's hole are refused.
 * Facts: set_debugreg() in xen/arch/x86/pv/misc-hypercalls.c of Xen 4.17; AMD64 APM volume 2, 13.1.1.
 */
#include "pv.h"

enum { DR7_ENABLED = 0xff, DR7_GENERAL_DETECT = 0x2000, DR7_RESERVED_ZERO = 0xd800, DR_TYPE_IO = 2, DR_IO_ENABLES = 5 };
enum { DR6_RESERVED_ZERO = 0x1000 };

static int64_t set_dr6(struct hv *hv, struct vcpu *v, uint64_t value)
{
    if (value >> 32)
        return hv_refuse(hv, RULE_debugreg_reserved, 6, value, 0, 0);
    v->debugreg[6] = (value & ~(uint64_t)DR6_RESERVED_ZERO) | DR6_DEFAULT;
    cpu_set_dr(hv_cpu_of(hv, v), 6, v->debugreg[6]);
    return 0;
}

static int64_t set_dr7(struct hv *hv, struct vcpu *v, uint64_t value)
{
    uint64_t io = 0;
    if (value >> 32)
        return hv_refuse(hv, RULE_debugreg_reserved, 7, value, 0, 0);
    value = (value & ~(uint64_t)DR7_RESERVED_ZERO) | DR7_DEFAULT;
    if (value & DR7_GENERAL_DETECT)
        return hv_refuse(hv, RULE_debugreg_general_detect, value, 0, 0, 0);
    for (unsigned i = 0; value & DR7_ENABLED && i < 4; i++)
        if ((value >> (16 + 4 * i) & 3) == DR_TYPE_IO) {
            if (!(v->ctrlreg[4] & CR4_DE))
                return hv_refuse(hv, RULE_debugreg_io, i, 0, 0, 0);
            io |= value & 3ull << 2 * i;
        }
    v->debugreg[DR_IO_ENABLES] = io;
    v->debugreg[7] = value & ~io;
    cpu_set_dr(hv_cpu_of(hv, v), 7, v->debugreg[7]);
    return 0;
}

/* DR4 and DR5 are names of DR6 and DR7 until CR4.DE is set; then there are no such registers. */
static bool register_number(const struct vcpu *v, uint64_t reg, unsigned *out)
{
    if (reg > 7 || ((reg == 4 || reg == 5) && v->ctrlreg[4] & CR4_DE))
        return false;
    *out = (unsigned)(reg == 4 || reg == 5 ? reg + 2 : reg);
    return true;
}

int64_t pv_set_debugreg(struct hv *hv, struct vcpu *v, uint64_t reg, uint64_t value)
{
    unsigned n;
    if (!register_number(v, reg, &n))
        return hv_refuse(hv, RULE_debugreg_number, reg, 0, 0, 0);
    if (n == 6)
        return set_dr6(hv, v, value);
    if (n == 7)
        return set_dr7(hv, v, value);
    if (!pv_guest_address(value))
        return hv_refuse(hv, RULE_debugreg_address, n, value, 0, 0);
    v->debugreg[n] = value;
    cpu_set_dr(hv_cpu_of(hv, v), (int)n, value);
    return 0;
}

bool pv_debugregs_ok(const struct vcpu *v)
{
    uint64_t dr6 = v->debugreg[6], dr7 = v->debugreg[7], io = v->debugreg[DR_IO_ENABLES];
    for (unsigned i = 0; i < 4; i++)
        if (!pv_guest_address(v->debugreg[i]) || ((dr7 >> 2 * i & 3) && (dr7 >> (16 + 4 * i) & 3) == DR_TYPE_IO))
            return false;
    return v->debugreg[4] == 0 && !(io & ~(uint64_t)DR7_ENABLED) && !(dr6 >> 32) && !(dr7 >> 32) &&
           dr6 == ((dr6 & ~(uint64_t)DR6_RESERVED_ZERO) | DR6_DEFAULT) &&
           dr7 == ((dr7 & ~(uint64_t)(DR7_RESERVED_ZERO | DR7_GENERAL_DETECT)) | DR7_DEFAULT);
}

bool pv_get_debugreg(const struct vcpu *v, uint64_t reg, uint64_t *value)
{
    unsigned n;
    if (!register_number(v, reg, &n))
        return false;
    *value = n == 7 ? v->debugreg[7] | v->debugreg[DR_IO_ENABLES] : v->debugreg[n];
    return true;
}

int64_t do_set_debugreg(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    return pv_set_debugreg(hv, v, (uint32_t)args[0], args[1]);
}

int64_t do_get_debugreg(struct hv *hv, struct vcpu *v, uint64_t args[6])
{
    uint64_t value;
    if (!pv_get_debugreg(v, (uint32_t)args[0], &value))
        return hv_refuse(hv, RULE_debugreg_number, (uint32_t)args[0], 0, 0, 0);
    return (int64_t)value;
}
