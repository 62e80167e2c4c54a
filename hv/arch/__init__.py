"""What the hypervisor does differently on each architecture. Neutral code imports none of it."""
