/* @title  self-modifying code
 * @fact   a store to code is seen by the next instruction that is fetched from there: right behind the store, in a loop, through
 *         another address of the page, by a string instruction, into the next page, and from another processor
 * @source Intel SDM vol. 3A 11.6, 8.1.3
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 * @vcpus  2
 */
#include <guest.h>

static uint8_t page[3 * 4096] __attribute__((aligned(4096)));
typedef unsigned function(void);

static unsigned run(const void *code) { return ((function *)(unsigned long)code)(); }
static void put(uint8_t *at, uint8_t value)
{
    static const uint8_t code[] = { 0xb8, 0, 0, 0, 0, 0xc3 };       /* mov $value, %eax; ret */

    memcpy(at, code, sizeof(code));
    at[1] = value;
}

static unsigned go, seen;

static void other(void *unused)
{
    (void)unused;
    while (READ_ONCE(go) == 0)
        __asm__ volatile("pause");
    page[1] = 77;
    WRITE_ONCE(seen, 1);
}

void test_main(void)
{
    /* The store changes the operand of the instruction behind it. */
    unsigned value = 0;

    for (unsigned i = 1; i < 20; i++) {
        __asm__ volatile("movb %b1, 1f + 1\n1:\tmov $0x55, %0" : "=a"(value) : "c"(i) : "memory");
        check_eq(value, i);
    }
    for (unsigned i = 0; i < 50; i++) {
        put(page, (uint8_t)i);
        check_eq(run(page), i);
    }
    /* A loop that counts how often its own increment was an increment: it becomes a decrement. */
    static const uint8_t loop[] = {
        0x31, 0xc0, 0xb9, 10, 0, 0, 0,          /* xor %eax, %eax; mov $10, %ecx */
        0x83, 0xc0, 1,                          /* 7: add $1, %eax */
        0x83, 0xf9, 5, 0x75, 7,                 /* cmp $5, %ecx; jne 22 */
        0xc6, 0x05, 0, 0, 0, 0, 0xff,           /* 15: movb $-1, page + 9 */
        0xff, 0xc9, 0x75, 0xed, 0xc3            /* 22: dec %ecx; jne 7; ret */
    };
    memcpy(page, loop, sizeof(loop));
#ifdef __x86_64__
    int32_t where = 9 - 22;
#else
    int32_t where = (int32_t)page + 9;
#endif
    memcpy(page + 17, &where, sizeof(where));
    check_eq(run(page), 6 - 4);

    /* An instruction over the end of a page, changed in its second half. */
    uint8_t *over = page + 4096 - 3;
    for (unsigned i = 0; i < 10; i++) {
        put(over, (uint8_t)i);
        over[3] = (uint8_t)i;
        check_eq(run(over), i | i << 16);
    }
    /* By a string instruction, from behind. */
    put(page, 1);
    check_eq(run(page), 1);
    static const uint8_t two[] = { 0xb8, 2, 0, 0, 0, 0xc3 };
    const void *from = two;
    void *to = page;
    unsigned long count = sizeof(two);
    __asm__ volatile("cld\n\trep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
    check_eq(run(page), 2);

    require(vcpu_start(1, other, NULL) == 0);
    check_eq(run(page), 2);
    WRITE_ONCE(go, 1);
    while (!READ_ONCE(seen))
        __asm__ volatile("pause");
    check_eq(run(page), 77);
}
