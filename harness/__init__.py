"""The rehearsal harness: ``harness/rehearsal/conduct.py`` is the flow of every run; ARCHITECTURE.md has the folders."""
