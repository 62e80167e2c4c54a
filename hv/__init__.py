"""xenlab's hypervisor: Xen domains in user space, on an emulated CPU. Start reading at `hv.hypervisor`."""
