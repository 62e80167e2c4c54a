"""The command `hv`: one module a subcommand, imported only when it is called."""
