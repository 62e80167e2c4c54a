/* verdict.c - the last words of a guest. */
#include <guest.h>

static unsigned failures;

static const char *const verdict_names[] = {
    [VERDICT_SUCCESS] = "SUCCESS",
    [VERDICT_SKIP] = "SKIP",
    [VERDICT_ERROR] = "ERROR",
    [VERDICT_FAILURE] = "FAILURE",
};

unsigned verdict_failures(void)
{
    return failures;
}

void verdict_end(enum verdict verdict)
{
    struct sched_shutdown shutdown = { .reason = SHUTDOWN_poweroff };

    if (failures)
        verdict = VERDICT_FAILURE;
    printf("Test result: %s\n", verdict_names[verdict]);
    console_drain();
    for (;;)
        hcall(sched_op, SCHEDOP_shutdown, &shutdown);
}

void verdict_note(bool fatal, const char *file, int line, const char *format, ...)
{
    char text[320];
    const char *base = file;
    va_list args;

    for (const char *c = file; *c; c++)
        if (*c == '/')
            base = c + 1;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    printf("%s:%d: failed: %s\n", base, line, text);
    failures++;
    if (fatal)
        verdict_end(VERDICT_FAILURE);
}

void verdict_stop(enum verdict verdict, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    printf("%s: %s\n", verdict_names[verdict], text);
    verdict_end(verdict);
}
