"""What each hypercall means: one file a hypercall. hv.hypercall finds and dispatches them."""
