/* @title  alignment of vectors on ARM
 * @fact   with SCTLR.A a load or store of structures must be aligned as its elements are, and one of 16 bytes to 16; AArch32's
 *         instructions that state an alignment check it without SCTLR.A too
 * @source Arm DDI 0487, "Alignment of data accesses"; DDI 0406C, A3.2.1, A7.7.1
 * @env    arm64 arm32
 */
#include <guest.h>

static char buffer[160] __attribute__((aligned(32)));

enum { CONTROL_A = 2 };
#ifdef __aarch64__
#define VECTORS ".arch_extension fp\n\t.arch_extension simd\n\t"
#define BYTES(CASE) CASE("ld1 {v0.16b}, [%0]") CASE("st1 {v0.16b, v1.16b}, [%0]") CASE("ld2 {v0.16b, v1.16b}, [%0]")
#define HALVES(CASE) CASE("ld1 {v0.8h}, [%0]") CASE("st1 {v0.4h}, [%0]") CASE("ld3 {v0.8h-v2.8h}, [%0]") CASE("ld1r {v0.8h}, [%0]")
#define EIGHTS(CASE) CASE("ld1 {v0.2d}, [%0]") CASE("ldr d0, [%0]") CASE("ldp x0, x1, [%0]") CASE("ldp d0, d1, [%0]")
#define QUADS(CASE) \
    CASE("ldr q0, [%0]") CASE("str q0, [%0]") CASE("ldur q0, [%0]") CASE("ldp q0, q1, [%0]") CASE("stnp q0, q1, [%0]") \
    CASE("ldr q0, [%0, x2]")
#define KEPT "x0", "x1", "x2"
#define control_read() sysreg_read(sctlr_el1)
#define control_write(value) sysreg_write(sctlr_el1, value)

static void enable_vectors(void) { sysreg_write(cpacr_el1, 3 << 20); }
#else
#define VECTORS ".fpu neon\n\t"
#define BYTES(CASE) CASE("vld1.8 {d0, d1}, [%0]") CASE("vst1.8 {d0}, [%0]") CASE("vld2.8 {d0, d1}, [%0]")
#define HALVES(CASE) CASE("vld1.16 {d0, d1}, [%0]") CASE("vst1.16 {d0}, [%0]") CASE("vld3.16 {d0, d1, d2}, [%0]")
#define EIGHTS(CASE) CASE("vld1.64 {d0, d1}, [%0]") CASE("vld1.8 {d0}, [%0 :64]")
#define STATED(CASE) CASE("vld1.8 {d0, d1}, [%0 :128]") CASE("vst1.32 {d0, d1}, [%0 :128]") CASE("vld2.16 {d0, d1}, [%0 :128]")
#define KEPT "r0", "r1", "r2"
#define control_read() cp15_read(0, 1, 0, 0)
#define control_write(value) cp15_write(0, 1, 0, 0, value)

static void enable_vectors(void)
{
    cp15_write(0, 1, 0, 2, 0xf << 20);
    arch_isb();
    __asm__ volatile(VECTORS "vmsr fpexc, %0" : : "r"(1 << 30));
}
#endif

#ifdef __aarch64__
#define EXECUTE(insn) f = fault_arm(); __asm__ volatile(VECTORS "mov x2, #0\n\t" FAULTING(insn) : : "r"(at) : KEPT, "memory");
#else
#define EXECUTE(insn) f = fault_arm(); __asm__ volatile(VECTORS FAULTING(insn) : : "r"(at) : KEPT, "memory");
#endif
#define NO_FAULT(insn) EXECUTE(insn) check_no_fault(f);
#define FAULTS(insn) EXECUTE(insn) check_fault(f, EC_DABT, FSC_ALIGNMENT); check_eq(f->far, at);

static void set_control(unsigned long value)
{
    arch_barrier();
    control_write(value);
    arch_isb();
}

void test_main(void)
{
    unsigned long control = control_read() & ~(unsigned long)CONTROL_A;
    const char *at = buffer + 3;
    struct fault *f;

    enable_vectors();
    set_control(control);
    BYTES(NO_FAULT)
    HALVES(NO_FAULT)
#ifdef __aarch64__
    QUADS(NO_FAULT)
#else
    at = buffer + 8;
    STATED(FAULTS)
    at = buffer + 16;
    STATED(NO_FAULT)
#endif

    set_control(control | CONTROL_A);
    at = buffer + 3;
    BYTES(NO_FAULT)
    HALVES(FAULTS)
    EIGHTS(FAULTS)
    at = buffer + 2;
    HALVES(NO_FAULT)
    EIGHTS(FAULTS)
    at = buffer + 8;
    EIGHTS(NO_FAULT)
#ifdef __aarch64__
    QUADS(FAULTS)
    at = buffer + 16;
    QUADS(NO_FAULT)
#else
    STATED(FAULTS)
    at = buffer + 16;
    STATED(NO_FAULT)
#endif
    set_control(control);
}
