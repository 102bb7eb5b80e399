"""The command line: what its commands declare, and what is made of that."""
