/* stock.c - plain libunicorn, no hooks: `stock IMAGE OFFSET ITERATIONS` runs one compute loop and prints nanoseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unicorn/unicorn.h>

enum { CODE = 0x200000, CODE_BYTES = 0x10000, BUFFER = 0x400000, BUFFER_BYTES = 0x10000, STACK = 0x600000, RETURN = 0x20f000 };

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
    static uint8_t image[CODE_BYTES];
    if (argc != 4)
        return 2;
    FILE *file = fopen(argv[1], "rb");
    if (!file)
        return 2;
    size_t bytes = fread(image, 1, sizeof image, file);
    fclose(file);
    uc_engine *uc;
    uint64_t rip = CODE + strtoull(argv[2], NULL, 0), iterations = strtoull(argv[3], NULL, 0), buffer = BUFFER,
             stack = STACK + 0x8000, back = RETURN;
    if (uc_open(UC_ARCH_X86, UC_MODE_64, &uc) || uc_mem_map(uc, CODE, CODE_BYTES, UC_PROT_ALL) ||
        uc_mem_map(uc, BUFFER, BUFFER_BYTES, UC_PROT_READ | UC_PROT_WRITE) ||
        uc_mem_map(uc, STACK, 0x10000, UC_PROT_READ | UC_PROT_WRITE) || uc_mem_write(uc, CODE, image, bytes) ||
        uc_mem_write(uc, stack, &back, 8))
        return 3;
    uc_reg_write(uc, UC_X86_REG_RDI, &iterations);
    uc_reg_write(uc, UC_X86_REG_RSI, &buffer);
    uc_reg_write(uc, UC_X86_REG_RSP, &stack);
    uint64_t start = now();
    if (uc_emu_start(uc, rip, RETURN, 0, 0))
        return 4;
    printf("%llu\n", (unsigned long long)(now() - start));
    return 0;
}
