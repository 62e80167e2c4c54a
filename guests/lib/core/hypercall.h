/* hypercall.h - hypercalls by name: hcall(event_channel_op, EVTCHNOP_send, &send).
 *
 * The numbers are __HYPERVISOR_<name> of native/abi. Each argument is converted to a machine word; arguments that
 * are not given are zero. The result is signed: an errno is negative.
 */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#define HCALL_WORD(x) ((unsigned long)(x))
#define HCALL_0(via, nr) via(nr, 0, 0, 0, 0, 0)
#define HCALL_1(via, nr, a) via(nr, HCALL_WORD(a), 0, 0, 0, 0)
#define HCALL_2(via, nr, a, b) via(nr, HCALL_WORD(a), HCALL_WORD(b), 0, 0, 0)
#define HCALL_3(via, nr, a, b, c) via(nr, HCALL_WORD(a), HCALL_WORD(b), HCALL_WORD(c), 0, 0)
#define HCALL_4(via, nr, a, b, c, d) via(nr, HCALL_WORD(a), HCALL_WORD(b), HCALL_WORD(c), HCALL_WORD(d), 0)
#define HCALL_5(via, nr, a, b, c, d, e) \
    via(nr, HCALL_WORD(a), HCALL_WORD(b), HCALL_WORD(c), HCALL_WORD(d), HCALL_WORD(e))
#define HCALL_PICK(_0, _1, _2, _3, _4, _5, name, ...) name
#define HCALL_VIA(via, ...) \
    HCALL_PICK(__VA_ARGS__, HCALL_5, HCALL_4, HCALL_3, HCALL_2, HCALL_1, HCALL_0, 0)(via, __VA_ARGS__)

/* By name, through the hypercall page. */
#define hcall(name, ...) HCALL_VIA(arch_hypercall, __HYPERVISOR_##name, ##__VA_ARGS__)
/* By number, by the instruction: for numbers that have no name, or no slot in the page. */
#define hcall_number(number, ...) HCALL_VIA(arch_hypercall_inline, number, ##__VA_ARGS__)
/* By the instruction itself, without the hypercall page. */
#define hcall_inline(name, ...) HCALL_VIA(arch_hypercall_inline, __HYPERVISOR_##name, ##__VA_ARGS__)

#endif
