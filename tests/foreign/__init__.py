"""Targets of other people, in Go and Node: how the harness judges what is not its own."""
