"""Stored runs, read again without running: ``judge RUN`` and ``compare RUN RUN``."""
