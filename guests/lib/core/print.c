/* print.c - a small printf. */
#include <guest.h>

struct sink {
    char *out;
    size_t size, length;
};

static void put(struct sink *s, char c)
{
    if (s->length + 1 < s->size)
        s->out[s->length] = c;
    s->length++;
}

static void put_padded(struct sink *s, const char *text, int length, int width, char pad, bool left)
{
    for (int i = length; !left && i < width; i++)
        put(s, pad);
    for (int i = 0; i < length; i++)
        put(s, text[i]);
    for (int i = length; left && i < width; i++)
        put(s, ' ');
}

static void put_number(struct sink *s, uint64_t value, unsigned base, bool negative, int width, char pad, bool left)
{
    char digits[24];
    int at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative && pad == '0') {
        put(s, '-');
        width--;
    } else if (negative) {
        digits[--at] = '-';
    }
    put_padded(s, digits + at, (int)sizeof(digits) - at, width, pad, left);
}

static uint64_t number_argument(va_list *args, int longs, bool is_signed)
{
    if (longs > 1)
        return va_arg(*args, uint64_t);
    if (is_signed)
        return (uint64_t)(longs ? va_arg(*args, long) : va_arg(*args, int));
    return longs ? va_arg(*args, unsigned long) : va_arg(*args, unsigned int);
}

static const char *convert(struct sink *s, const char *f, va_list *args)
{
    bool left = false;
    char pad = ' ';
    int width = 0, longs = 0;

    for (; *f == '-' || *f == '0'; f++) {
        left |= *f == '-';
        pad = *f == '0' ? '0' : pad;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        width = width * 10 + (*f - '0');
    for (; *f == 'l' || *f == 'z'; f++)
        longs++;

    switch (*f) {
    case 'd': {
        int64_t value = (int64_t)number_argument(args, longs, true);
        put_number(s, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, value < 0, width, pad, left);
        break;
    }
    case 'u':
        put_number(s, number_argument(args, longs, false), 10, false, width, pad, left);
        break;
    case 'x':
        put_number(s, number_argument(args, longs, false), 16, false, width, pad, left);
        break;
    case 'p':
        put_number(s, (unsigned long)va_arg(*args, void *), 16, false, (int)(2 * sizeof(void *)), '0', false);
        break;
    case 'c':
        put(s, (char)va_arg(*args, int));
        break;
    case 's': {
        const char *text = va_arg(*args, const char *);
        text = text ? text : "(null)";
        put_padded(s, text, (int)strlen(text), width, ' ', left);
        break;
    }
    default:
        put(s, '%');
        put(s, *f);
        break;
    }
    return *f ? f + 1 : f;
}

int vsnprintf(char *out, size_t size, const char *format, va_list given)
{
    struct sink s = { out, size, 0 };
    va_list args;

    va_copy(args, given);
    while (*format)
        if (*format == '%')
            format = convert(&s, format + 1, &args);
        else
            put(&s, *format++);
    va_end(args);
    if (size)
        out[s.length < size ? s.length : size - 1] = 0;
    return (int)s.length;
}

int snprintf(char *out, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(out, size, format, args);
    va_end(args);
    return length;
}

void printf(const char *format, ...)
{
    char line[500];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    console_write(line, length < (int)sizeof(line) ? (size_t)length : sizeof(line) - 1);
}
