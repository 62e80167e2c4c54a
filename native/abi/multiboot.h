/* multiboot.h - what a Multiboot kernel has in its file, and what it is handed in ebx. Facts: Multiboot Specification 0.6.96,
 * 3.1 to 3.3. A 64-bit number is two words, the low one first: nothing is aligned to more than four bytes.
 */
#ifndef XEN_PUBLIC_MULTIBOOT_H
#define XEN_PUBLIC_MULTIBOOT_H

#include "types.h"

#define MULTIBOOT_HEADER_MAGIC     0x1badb002
#define MULTIBOOT_BOOTED_MAGIC     0x2badb002      /* in eax */
#define MULTIBOOT_SEARCHED         8192            /* the header is in the file's first bytes */
#define MULTIBOOT_ALIGN_MODULES    0x00000001
#define MULTIBOOT_WANT_MEMORY      0x00000002
#define MULTIBOOT_WANT_VIDEO       0x00000004
#define MULTIBOOT_REQUIREMENTS     0x0000ffff      /* flags that a loader must understand or refuse */
#define MULTIBOOT_ADDRESSES        0x00010000      /* struct multiboot_addresses follows */
#define MULTIBOOT_INFO_MEMORY       0x0001
#define MULTIBOOT_INFO_CMDLINE      0x0004
#define MULTIBOOT_INFO_MODULES      0x0008
#define MULTIBOOT_INFO_MEMORY_MAP   0x0040
#define MULTIBOOT_INFO_LOADER_NAME  0x0200
#define MULTIBOOT_INFO_FRAMEBUFFER  0x1000
#define MULTIBOOT_FRAMEBUFFER_TEXT  2

#ifndef __ASSEMBLER__
struct multiboot_header {
    uint32_t magic;
    uint32_t flags;
    uint32_t checksum;            /* the three are 0 in all */
};
struct multiboot_addresses {
    uint32_t header;
    uint32_t load;
    uint32_t load_end;            /* 0: all of the file */
    uint32_t bss_end;             /* 0: there is none */
    uint32_t entry;
};
struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower;           /* KiB from 0 */
    uint32_t mem_upper;           /* KiB from 1 MiB */
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count;
    uint32_t mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length;         /* bytes */
    uint32_t mmap_addr;
    uint32_t drives_length;
    uint32_t drives_addr;
    uint32_t config_table;
    uint32_t boot_loader_name;
    uint32_t apm_table;
    uint32_t vbe[4];
    uint32_t framebuffer_addr[2];
    uint32_t framebuffer_pitch;
    uint32_t framebuffer_width;
    uint32_t framebuffer_height;
    uint8_t framebuffer_bpp;
    uint8_t framebuffer_type;
    uint8_t color_info[6];
};
struct multiboot_module {
    uint32_t start;
    uint32_t end;                 /* the address behind it */
    uint32_t string;
    uint32_t reserved;
};
struct multiboot_mmap_entry {
    uint32_t size;                /* of what follows */
    uint32_t addr[2];
    uint32_t len[2];
    uint32_t type;
};
#endif

#endif
