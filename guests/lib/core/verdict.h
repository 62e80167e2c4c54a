/* verdict.h - how a guest test says what it found (docs: a verdict is the last line on the console).
 *
 *   check(x)      notes a failure with the place and the text, and goes on
 *   require(x)    the same, and ends the test
 *   check_eq(a, b), require_eq(a, b)     for integers: prints both values
 *   skip(), broken(), fail()             end the test with SKIP, ERROR, FAILURE
 */
#ifndef GUEST_VERDICT_H
#define GUEST_VERDICT_H
#include <stdbool.h>

enum verdict { VERDICT_SUCCESS, VERDICT_SKIP, VERDICT_ERROR, VERDICT_FAILURE };

void verdict_note(bool fatal, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Print the verdict line (SUCCESS becomes FAILURE when a check failed) and power the domain off. */
void verdict_end(enum verdict verdict) __attribute__((noreturn));
void verdict_stop(enum verdict verdict, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
/* Failures noted up to now. */
unsigned verdict_failures(void);

#define VERDICT_TEST(fatal, x) \
    do { if (!(x)) verdict_note(fatal, __FILE__, __LINE__, "%s", #x); } while (0)
#define VERDICT_EQ(fatal, a, b) \
    do { \
        long long verdict_a = (long long)(a), verdict_b = (long long)(b); \
        if (verdict_a != verdict_b) \
            verdict_note(fatal, __FILE__, __LINE__, "%s is %lld (0x%llx), not %s, which is %lld (0x%llx)", #a, \
                         verdict_a, (unsigned long long)verdict_a, #b, verdict_b, (unsigned long long)verdict_b); \
    } while (0)
#define check(x) VERDICT_TEST(false, x)
#define require(x) VERDICT_TEST(true, x)
#define check_eq(a, b) VERDICT_EQ(false, a, b)
#define require_eq(a, b) VERDICT_EQ(true, a, b)
#define skip(...) verdict_stop(VERDICT_SKIP, __VA_ARGS__)
#define broken(...) verdict_stop(VERDICT_ERROR, __VA_ARGS__)
#define fail(...) verdict_stop(VERDICT_FAILURE, __VA_ARGS__)

#endif
