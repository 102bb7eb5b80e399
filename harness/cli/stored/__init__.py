"""Stored runs of any rehearsal, read again without running: ``judge``, ``compare`` and ``report``."""
