/* runtime.c (arm32) - what the compiler calls: memory, and division of 64-bit numbers (quotient and remainder in r0 to r3,
 * divide.S). Facts: Run-time ABI for the Arm Architecture (IHI 0043), 4.2 and 4.3.4.
 */
#include <guest.h>
#include <divide.h>

uint64_t guest_uldivmod(uint64_t a, uint64_t b, uint64_t *rest);

uint64_t guest_uldivmod(uint64_t a, uint64_t b, uint64_t *rest)
{
    return divide_u64(a, b, rest);
}

void __aeabi_memcpy(void *to, const void *from, size_t n) { memcpy(to, from, n); }
void __aeabi_memcpy4(void *to, const void *from, size_t n) { memcpy(to, from, n); }
void __aeabi_memcpy8(void *to, const void *from, size_t n) { memcpy(to, from, n); }
void __aeabi_memmove(void *to, const void *from, size_t n) { memmove(to, from, n); }
void __aeabi_memmove4(void *to, const void *from, size_t n) { memmove(to, from, n); }
void __aeabi_memmove8(void *to, const void *from, size_t n) { memmove(to, from, n); }
void __aeabi_memset(void *to, size_t n, int byte) { memset(to, byte, n); }
void __aeabi_memset4(void *to, size_t n, int byte) { memset(to, byte, n); }
void __aeabi_memset8(void *to, size_t n, int byte) { memset(to, byte, n); }
void __aeabi_memclr(void *to, size_t n) { memset(to, 0, n); }
void __aeabi_memclr4(void *to, size_t n) { memset(to, 0, n); }
void __aeabi_memclr8(void *to, size_t n) { memset(to, 0, n); }
