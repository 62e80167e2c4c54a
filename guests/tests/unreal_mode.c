/* @title  unreal mode
 * @fact   a data segment that was loaded in protected mode keeps its limit in real mode, where loading it again changes its
 *         base alone: memory above 1 MiB is within reach of 32-bit offsets
 * @source Intel SDM vol. 3A 9.9.2 (step 8), 3.4.3 (hidden part); AMD64 APM vol. 2, 4.5.3
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 * @vcpus  2
 */
#include <guest.h>
#include <real.h>

static volatile uint32_t target[2] = { 0x600df00d, 0 };

void test_main(void)
{
    static uint64_t gdt[] = { 0, 0x00cf93000000ffff };
    static struct { uint16_t limit; uint32_t base; } __attribute__((packed)) pointer = { sizeof(gdt) - 1, 0 };
    static uint8_t code[] = {
        0x66, 0x0f, 0x01, 0x16, 0x00, 0x68,                         /* lgdtl 0x6800 */
        0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0,             /* PE on */
        0xb9, 0x08, 0x00, 0x8e, 0xd9,                               /* mov $8, %cx; mov %cx, %ds */
        0x24, 0xfe, 0x0f, 0x22, 0xc0,                               /* PE off */
        0x66, 0xbb, 0, 0, 0, 0,                                     /* 24: mov $target, %ebx */
        0x67, 0x66, 0x8b, 0x13,                                     /* mov (%ebx), %edx */
        0xb9, 0x00, 0x01, 0x8e, 0xd9,                               /* mov $0x100, %cx; mov %cx, %ds: base 0x1000 */
        0x67, 0x66, 0x8b, 0xb3, 0x00, 0xf0, 0xff, 0xff,             /* mov -0x1000(%ebx), %esi */
        0x67, 0x66, 0x89, 0xb3, 0x04, 0xf0, 0xff, 0xff,             /* mov %esi, 4 - 0x1000(%ebx) */
        REAL_END
    };
    uint32_t at = (uint32_t)(unsigned long)target;

    pointer.base = (uint32_t)(unsigned long)gdt;
    memcpy((void *)0x6800UL, &pointer, sizeof(pointer));
    memcpy(code + 26, &at, sizeof(at));
    require(at > 0xfffff);
    const struct real_result *r = real_run(code, sizeof(code));
    check_eq(r->vector, REAL_DONE);
    check_eq(r->edx, 0x600df00d);
    check_eq(r->esi, 0x600df00d);
    check_eq(r->ds, 0x100);
    check_eq(target[1], 0x600df00d);
}
