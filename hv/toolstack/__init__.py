"""Domain 0's side of things: from a configuration to a running domain with its console and store."""
