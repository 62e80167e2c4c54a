/* options.c - numbers on the command line. */
#include <guest.h>

static uint64_t parse(const char *s)
{
    uint64_t value = 0;
    unsigned base = 10;

    if (s[0] == '0' && s[1] == 'x') {
        base = 16;
        s += 2;
    }
    for (;; s++) {
        unsigned digit = *s >= '0' && *s <= '9' ? (unsigned)(*s - '0')
                       : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a' + 10) : 99;

        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

uint64_t guest_option(const char *name, uint64_t otherwise)
{
    size_t n = strlen(name);

    for (const char *c = guest_cmdline(); (c = strstr(c, name)) != NULL; c += n)
        if (c[n] == '=' && (c == guest_cmdline() || c[-1] == ' '))
            return parse(c + n + 1);
    return otherwise;
}
