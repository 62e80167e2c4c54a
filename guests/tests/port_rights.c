/* @title  who may use a port
 * @fact   ring 3 needs IOPL 3 or zeros in the TSS's map for every byte of the access, the byte behind the map's last one too; else
 *         #GP(0), for string instructions too and before they touch memory; CLI and STI go by IOPL
 * @source Intel SDM vol. 1 18.5, vol. 3A 7.2.1, vol. 2 IN, INS, CLI
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <descriptors.h>

enum { PORT = 0x1f00, MAP_BYTES = 8192 / 8 + 1, TSS_BYTES = 104, IO_MAP = 102 };
static struct { uint8_t tss[TSS_BYTES], map[MAP_BYTES]; } __attribute__((aligned(16))) area;
static unsigned iopl;

#define USER_FN(name, insn, ...) \
    static unsigned long name(unsigned long port) { __asm__ volatile(insn : : "d"(port), "a"(0) : "memory", "cc", ##__VA_ARGS__); return 1; }
USER_FN(user_inb, "inb %%dx, %%al\n\tmov $0, %%eax")
USER_FN(user_inw, "inw %%dx, %%ax\n\tmov $0, %%eax")
USER_FN(user_inl, "inl %%dx, %%eax\n\tmov $0, %%eax")
USER_FN(user_outb, "outb %%al, %%dx")
USER_FN(user_cli, "cli\n\tsti")
static unsigned long user_insb(unsigned long port) { __asm__ volatile("cld\n\tinsb" : : "d"(port), "D"(BAD_POINTER) : "memory"); return 1; }

static void allowed(unsigned long (*fn)(unsigned long), unsigned port)
{
    struct fault *f = fault_arm();

    check_eq(user_call(fn, port), 1);
    check_no_fault(f);
}

static void refused(unsigned long (*fn)(unsigned long), unsigned port)
{
    struct fault *f = fault_arm();

    user_call(fn, port);
    check_fault(f, X86_EXC_GP, 0);
    check_eq(f->cs, USER_CS);
}

/* The return to ring 3 takes IOPL from here. */
static bool raise_iopl(struct regs *r)
{
    r->flags = (r->flags & ~(unsigned long)X86_EFLAGS_IOPL) | iopl << 12;
    return true;
}
static unsigned long with_iopl(unsigned long fn)
{
    __asm__ volatile("int $0x81" : : : "memory");
    return ((unsigned long (*)(unsigned long))fn)(PORT);
}

void test_main(void)
{
    memcpy(area.tss, this_cpu()->arch.tss, TSS_BYTES);
    *(uint16_t *)(area.tss + IO_MAP) = TSS_BYTES;
    memset(area.map, 0xff, sizeof(area.map));
    uint64_t old = gdt_get(TSS_SELECTOR), tss = descriptor((uint32_t)(unsigned long)&area, sizeof(area) - 1, DESC_TSS, 0);

    refused(user_inb, PORT);
    gdt_put(TSS_SELECTOR, tss);
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
    refused(user_inb, PORT);
    area.map[PORT / 8] = 0xfe;
    allowed(user_inb, PORT);
    allowed(user_outb, PORT);
    refused(user_inb, PORT + 1);
    refused(user_inw, PORT);
    area.map[PORT / 8] = 0xf0;
    allowed(user_inl, PORT);
    allowed(user_inw, PORT + 2);
    refused(user_inl, PORT + 1);
    refused(user_inw, PORT + 3);
    area.map[PORT / 8] = 0x7f;
    allowed(user_inb, PORT + 7);
    refused(user_inw, PORT + 7);
    area.map[PORT / 8 + 1] = 0xfe;
    allowed(user_inw, PORT + 7);
    refused(user_insb, PORT);
    /* A map that ends before the byte behind the port's. */
    gdt_put(TSS_SELECTOR, descriptor((uint32_t)(unsigned long)&area, TSS_BYTES + PORT / 8, DESC_TSS, 0));
    area.map[PORT / 8] = 0;
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
    refused(user_inb, PORT);
    gdt_put(TSS_SELECTOR, old & ~((uint64_t)2 << 40));
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));

    refused(user_cli, 0);
    trap_set_handler(0x81, raise_iopl);
    iopl = 3;
    struct fault *f = fault_arm();
    check_eq(user_call(with_iopl, (unsigned long)user_inb), 1);
    check_eq(user_call(with_iopl, (unsigned long)user_cli), 1);
    check_no_fault(f);
    iopl = 2;
    user_call(with_iopl, (unsigned long)user_inb);
    check_fault(f, X86_EXC_GP, 0);
}
