/* id.c - what the model says that it is: a Cortex-A57 (DDI 0488), in AArch32 state a Cortex-A15 (DDI 0438), as far as it is right
 * here.
 *
 * Left out: EL2 and EL3, the performance monitors, physical addresses of more than ENGINE_PHYSICAL_BITS, RAS, the external debug
 * interface. The interrupt controller's system registers are the layer above's to offer (ID_AA64PFR0_EL1.GIC, ID_PFR1.GIC), and so are
 * MPIDR_EL1 and MIDR_EL1 where it wants others.
 */
#include "cpu.h"

struct identification { uint32_t key; uint64_t value; };
static const struct identification A57[] = {
    {ARM_ID(0, 0, 0, 6), 0},                              /* REVIDR */
    {ARM_ID(0, 0, 1, 0), 0x00000131},                     /* ID_PFR0 */
    {ARM_ID(0, 0, 1, 1), 0x00010001},                     /* ID_PFR1: programmers' model, generic timer */
    {ARM_ID(0, 0, 1, 2), 0x00000006},                     /* ID_DFR0 */
    {ARM_ID(0, 0, 1, 4), 0x10101105},                     /* ID_MMFR0..3 */
    {ARM_ID(0, 0, 1, 5), 0x40000000},
    {ARM_ID(0, 0, 1, 6), 0x01260000},
    {ARM_ID(0, 0, 1, 7), 0x02102211},
    {ARM_ID(0, 0, 2, 0), 0x02101110},                     /* ID_ISAR0..5 */
    {ARM_ID(0, 0, 2, 1), 0x13112111},
    {ARM_ID(0, 0, 2, 2), 0x21232042},
    {ARM_ID(0, 0, 2, 3), 0x01112131},
    {ARM_ID(0, 0, 2, 4), 0x00011142},
    {ARM_ID(0, 0, 2, 5), 0x00011121},
    {ARM_ID(0, 0, 3, 0), 0x10110222},                     /* MVFR0..2 */
    {ARM_ID(0, 0, 3, 1), 0x12111111},
    {ARM_ID(0, 0, 3, 2), 0x00000043},
    {ARM_ID(0, 0, 4, 0), 0x00000022},                     /* ID_AA64PFR0: EL0 and EL1 in both states, floating point, vectors */
    {ARM_ID(0, 0, 5, 0), 0x10305006},                     /* ID_AA64DFR0 */
    {ARM_ID(0, 0, 6, 0), 0x00011120},                     /* ID_AA64ISAR0: AES, PMULL, SHA1, SHA256, CRC32 */
    {ARM_ID(0, 0, 7, 0), 0x00000122},                     /* ID_AA64MMFR0: 40 bits, ASIDs of 16, big endian, granules of 4 and 64 KiB */
};

static const struct identification A15[] = {
    {ARM_ID(0, 0, 1, 0), 0x00000131},                     /* ID_PFR0, 1; without ThumbEE, whose registers are not here */
    {ARM_ID(0, 0, 1, 1), 0x00010001},
    {ARM_ID(0, 0, 1, 2), 0x00010555},                     /* ID_DFR0 */
    {ARM_ID(0, 0, 1, 4), 0x10201105},                     /* ID_MMFR0..3 */
    {ARM_ID(0, 0, 1, 5), 0x20000000},
    {ARM_ID(0, 0, 1, 6), 0x01240000},
    {ARM_ID(0, 0, 1, 7), 0x02102211},
    {ARM_ID(0, 0, 2, 0), 0x02101110},                     /* ID_ISAR0..4 */
    {ARM_ID(0, 0, 2, 1), 0x13112111},
    {ARM_ID(0, 0, 2, 2), 0x21232041},
    {ARM_ID(0, 0, 2, 3), 0x11112131},
    {ARM_ID(0, 0, 2, 4), 0x10011142},
};

static uint64_t look_up(const struct identification *table, size_t count, uint32_t key)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].key == key)
            return table[i].value;
    return 0;                     /* what the space of these has that the model does not reads as zero */
}

bool arm_identification(const struct cpu *c, uint32_t key, uint64_t *value)
{
    enum { MIDR_A57 = 0x411fd070, MIDR_A15 = 0x412fc0f1 };
    static const uint32_t MIDR = ARM_ID(0, 0, 0, 0), MPIDR = ARM_ID(0, 0, 0, 5);
    if (key == MIDR)
        *value = ARM(c)->narrow ? MIDR_A15 : MIDR_A57;
    else if (key == MPIDR)
        *value = UINT64_C(1) << 31 | (uint32_t)c->index;
    else if (key >> 7)
        return false;
    else if (ARM(c)->narrow)
        *value = look_up(A15, sizeof A15 / sizeof *A15, key);
    else
        *value = look_up(A57, sizeof A57 / sizeof *A57, key);
    return true;
}
