"""Looking into domains from outside: core files, and later traces, snapshots and the GDB server."""
