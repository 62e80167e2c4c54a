/* @title  a Multiboot kernel
 * @fact   it is entered in flat 32-bit protected mode without paging, with the information that it may ask for: memory,
 *         the firmware's memory map, command line, modules, the loader's name and the screen's mode
 * @source Multiboot Specification 0.6.96, 3.2 and 3.3
 * @env    multiboot
 * @cmdline one two=3
 */
#include <guest.h>
#include <system.h>
#include <abi/multiboot.h>

enum { RAM = 1, MIB = 1 << 20, CR0_PE_PG = 0x80000001 };
extern char image_end[];

static void memory_map(const struct multiboot_info *info)
{
    uint64_t low = 0, high = 0, last = 0;

    for (uint32_t at = 0; at < info->mmap_length;) {
        const struct multiboot_mmap_entry *e = (const void *)(unsigned long)(info->mmap_addr + at);
        uint64_t begin = e->addr[0] | (uint64_t)e->addr[1] << 32, size = e->len[0] | (uint64_t)e->len[1] << 32;

        require(e->size >= 20);
        check(begin >= last);
        last = begin + size;
        if (e->type == RAM && begin == 0)
            low = size;
        if (e->type == RAM && begin == MIB)
            high = size;
        at += e->size + 4;
    }
    check_eq(low >> 10, info->mem_lower);
    check(info->mem_lower > 600 && info->mem_lower <= 640);
    check(high >= 14 * MIB && high < 15 * MIB + 1);
    check(info->mem_upper >= 14 << 10 && info->mem_upper <= 15 << 10);
}

static void modules(const struct multiboot_info *info)
{
    const struct multiboot_module *module = (const void *)(unsigned long)info->mods_addr;

    check_eq(info->mods_count, guest_option("modules", 0));
    for (uint32_t i = 0; i < info->mods_count; i++) {
        const char *text = (const char *)(unsigned long)module[i].string, *data = (const char *)(unsigned long)module[i].start;

        check_eq(module[i].start & 0xfff, 0);
        check(data >= image_end);
        check_eq(module[i].end - module[i].start, strlen(text));
        check(memcmp(text, data, strlen(text)) == 0);   /* the tests give each its own text as contents */
    }
}

void test_main(void)
{
    const struct multiboot_info *info = guest_multiboot();
    uint32_t wanted = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MODULES | MULTIBOOT_INFO_MEMORY_MAP |
                      MULTIBOOT_INFO_LOADER_NAME | MULTIBOOT_INFO_FRAMEBUFFER;

    require(info != NULL);
    check_eq(read_cr0() & CR0_PE_PG, 1);
    check_eq(info->flags, wanted);
    check(strstr(guest_cmdline(), "one two=3") != NULL || guest_option("modules", 0));
    check(memcmp((const char *)(unsigned long)info->boot_loader_name, "xenlab", 7) == 0);
    check_eq(info->framebuffer_addr[0], 0xb8000);
    check_eq(info->framebuffer_type, MULTIBOOT_FRAMEBUFFER_TEXT);
    check_eq(info->framebuffer_width, 80);
    memory_map(info);
    modules(info);
}
