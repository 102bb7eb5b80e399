"""``chaos`` and ``chaos_nightly``: Chaos Toolkit's experiments on a stack under load, judged."""
