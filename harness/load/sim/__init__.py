"""The load of the rung ``sim``: the same phones and probes as greenlets and tasks of the harness' own event loop."""
