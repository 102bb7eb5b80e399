"""The rehearsal harness: ``harness/run/runner.py`` is the flow of every run; ARCHITECTURE.md has the folders."""
