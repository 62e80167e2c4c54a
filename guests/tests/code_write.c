/* @title  code that changes
 * @fact   code written in place, through another mapping, by the hypervisor, or behind the running instruction is what
 *         executes next
 * @source Intel SDM vol. 3A 8.1.3 (self-modifying code), 11.6
 * @env    pv64
 */
#include <guest.h>
#include <grants.h>

#define RWX (PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D)
#define RX (PTE_P | PTE_US | PTE_A)

static unsigned char code[4096] __attribute__((aligned(4096)));
static unsigned char alias[4096] __attribute__((aligned(4096)));

/* mov $value, %eax; ret */
static void put_return(unsigned char *at, uint32_t value)
{
    at[0] = 0xb8;
    memcpy(at + 1, &value, 4);
    at[5] = 0xc3;
}

static uint32_t call(const unsigned char *at)
{
    return ((uint32_t (*)(void))(unsigned long)at)();
}

void test_main(void)
{
    uint64_t mfn = virt_to_mfn(code), alias_mfn = virt_to_mfn(alias);
    unsigned char *page = page_alloc();

    /* In place, over and over. */
    for (uint32_t i = 0; i < 300; i++) {
        put_return(code + 64, i);
        require_eq(call(code + 64), i);
    }
    /* Data beside code in the same page. */
    for (uint32_t i = 0; i < 300; i++) {
        code[2048 + i] = (unsigned char)i;
        require_eq(call(code + 64), 299);
    }

    /* Executed read-only here, written through another address. */
    require_eq(pt_set(alias, pte_make(mfn, RX)), 0);
    for (uint32_t i = 0; i < 100; i++) {
        put_return(code + 128, 1000 + i);
        require_eq(call(alias + 128), 1000 + i);
    }

    /* Another frame under the same address. */
    put_return(page + 128, 77);
    require_eq(pt_set(alias, pte_make(virt_to_mfn(page), RX)), 0);
    check_eq(call(alias + 128), 77);
    require_eq(pt_set(alias, pte_make(mfn, RX)), 0);
    check_eq(call(alias + 128), 1099);

    /* Written by the hypervisor: a copied page, then a copied range. */
    put_return(page + 128, 88);
    struct mmuext_op copy = { .cmd = MMUEXT_COPY_PAGE };
    copy.arg1.mfn = mfn;
    copy.arg2.src_mfn = virt_to_mfn(page);
    require_eq(hcall(mmuext_op, &copy, 1, NULL, DOMID_SELF), 0);
    check_eq(call(alias + 128), 88);
    put_return(page + 256, 99);
    struct gnttab_copy range = { .len = 6 };
    range.source.u.gmfn = virt_to_mfn(page);
    range.source.domid = DOMID_SELF;
    range.source.offset = 256;
    range.dest.u.gmfn = mfn;
    range.dest.domid = DOMID_SELF;
    range.dest.offset = 128;
    require_eq(hcall(grant_table_op, GNTTABOP_copy, &range, 1), 0);
    check_eq(range.status, GNTST_okay);
    check_eq(call(alias + 128), 99);

    /* Behind the running instruction, in the same block: the new byte is what runs. */
    static const unsigned char program[] = {
        0xc6, 0x05, 0x01, 0x00, 0x00, 0x00, 0x02,   /* movb $2, 1(%rip): the operand of the next one */
        0xb8, 0x01, 0x00, 0x00, 0x00,               /* mov $1, %eax */
        0xc3,
    };
    memcpy(code + 512, program, sizeof(program));
    check_eq(call(code + 512), 2);
    memcpy(code + 512, program, sizeof(program));
    check_eq(call(code + 512), 2);

    require_eq(pt_set(alias, pte_make(alias_mfn, RWX)), 0);
}
