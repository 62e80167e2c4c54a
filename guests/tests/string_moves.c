/* @title  REP MOVS and REP STOS
 * @fact   they do what a loop over their elements does, however long, wherever the ends of pages are, forwards and backwards,
 *         and where the destination overlaps the source: each element reads what those before it have written
 * @source Intel SDM vol. 2 MOVS, STOS, REP
 * @env    hvm32pae pvh64 pv64 hvm32
 */
#include <guest.h>
#include <random.h>

enum { PAGES = 4, BYTES = PAGES * 4096, ROUNDS = 80 };
static uint8_t area[BYTES] __attribute__((aligned(4096))), model[BYTES];

struct operation {
    unsigned size;                 /* bytes of an element */
    bool moves, backwards;
    unsigned long to, from, count; /* offsets in the area */
    unsigned long value;
};

static void by_the_model(const struct operation *o)
{
    for (unsigned long i = 0; i < o->count; i++) {
        unsigned long back = o->backwards ? 0 - i * o->size : i * o->size;
        uint8_t element[8];

        for (unsigned k = 0; k < o->size; k++)
            element[k] = o->moves ? model[o->from + back + k] : (uint8_t)(k < sizeof(o->value) ? o->value >> 8 * k : 0);
        for (unsigned k = 0; k < o->size; k++)
            model[o->to + back + k] = element[k];
    }
}

#define REPEATED(name, suffix, size_) \
    case size_: \
        __asm__ volatile("rep " name suffix : "+D"(to), "+S"(from), "+c"(count) : "a"(o->value) : "memory"); \
        break;
#ifdef __x86_64__
#define REPEATED_64(name) REPEATED(name, "q", 8)
#else
#define REPEATED_64(name)
#endif
#define REPEATED_ALL(name) REPEATED(name, "b", 1) REPEATED(name, "w", 2) REPEATED(name, "l", 4) REPEATED_64(name)

static void by_the_processor(const struct operation *o)
{
    unsigned long to = (unsigned long)area + o->to, from = (unsigned long)area + o->from, count = o->count;
    unsigned long moved = o->backwards ? 0 - count * o->size : count * o->size;

    if (o->backwards)
        __asm__ volatile("std" : : : "cc");
    if (o->moves) {
        switch (o->size) { REPEATED_ALL("movs") }
    } else {
        switch (o->size) { REPEATED_ALL("stos") }
    }
    __asm__ volatile("cld" : : : "cc");
    check_eq(count, 0);
    check_eq(to, (unsigned long)area + o->to + moved);
    check_eq(from, (unsigned long)area + o->from + (o->moves ? moved : 0));
}

void test_main(void)
{
    struct random random = { 1 };

    for (unsigned i = 0; i < BYTES; i++)
        area[i] = model[i] = (uint8_t)(i * 7 + (i >> 8));
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct operation o = { .size = 1u << random_below(&random, sizeof(long) == 8 ? 4 : 3), .value = (unsigned long)random_next(&random) };

        o.moves = random_below(&random, 3) != 0;
        o.backwards = random_below(&random, 5) == 0;
        o.count = random_below(&random, round % 2 ? 12 : 6000 / o.size);
        unsigned long span = o.count * o.size + 8, low = o.backwards ? span : 0, places = BYTES - span - 8;
        o.from = low + random_below(&random, places);
        o.to = low + random_below(&random, places);
        if (random_below(&random, 3) == 0 && o.from >= low + 24 && o.from < low + places - 24)
            o.to = o.from - 20 + random_below(&random, 40);
        by_the_processor(&o);
        by_the_model(&o);
        if (memcmp(area, model, BYTES) != 0) {
            printf("round %u: %s of %lu elements of %u bytes at %lx, %lx%s\n", round, o.moves ? "movs" : "stos", o.count, o.size, o.to,
                   o.from, o.backwards ? ", backwards" : "");
            require(!"memory is as the model says");
        }
    }
}
