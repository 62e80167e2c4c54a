"""The hypervisor on x86."""
