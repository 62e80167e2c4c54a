/* params.c (whole processors) - what a guest finds by HVM parameters, and what it asks to have in its memory. */
#include <guest.h>
#include <abi/hvm.h>
#include <abi/memory.h>

static char shared_info_page[4096] __attribute__((aligned(4096)));

struct shared_info *guest_shared_info(void)
{
    return (struct shared_info *)shared_info_page;
}

long hvm_get_param(unsigned index, uint64_t *value)
{
    struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };
    long rc = hcall(hvm_op, HVMOP_get_param, &param);

    *value = param.value;
    return rc;
}

long hvm_set_param(unsigned index, uint64_t value)
{
    struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index, .value = value };

    return hcall(hvm_op, HVMOP_set_param, &param);
}

long physmap_add(unsigned space, unsigned long index, void *page)
{
    struct xen_add_to_physmap op = { .domid = DOMID_SELF, .space = space, .idx = index, .gpfn = virt_to_mfn(page) };

    return hcall(memory_op, XENMEM_add_to_physmap, &op);
}

void map_grant_frame(void *page, unsigned index, uint64_t mfn)
{
    if (physmap_add(XENMAPSPACE_grant_table, index, page))
        broken("frame %u of the grant table cannot be mapped", index);
}

struct xenstore_domain_interface *guest_store(uint32_t *port)
{
    uint64_t gfn = 0, number = 0;

    if (hvm_get_param(HVM_PARAM_STORE_PFN, &gfn) || hvm_get_param(HVM_PARAM_STORE_EVTCHN, &number))
        return NULL;
    *port = (uint32_t)number;
    return gfn ? (struct xenstore_domain_interface *)(unsigned long)(gfn << PAGE_SHIFT) : NULL;
}

void params_console(void)
{
    uint64_t gfn = 0, port = 0;

    if (hvm_get_param(HVM_PARAM_CONSOLE_PFN, &gfn) || hvm_get_param(HVM_PARAM_CONSOLE_EVTCHN, &port))
        broken("the domain has no console");
    if (strstr(guest_cmdline(), "console=io") == NULL)
        console_init((struct xencons_interface *)(unsigned long)(gfn << PAGE_SHIFT), (uint32_t)port);
}

void params_shared_info(void)
{
    if (physmap_add(XENMAPSPACE_shared_info, 0, shared_info_page))
        broken("shared_info cannot be mapped");
}
