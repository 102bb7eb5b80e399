"""The rehearsal harness. ``harness/run.py`` shows the flow of one run whole; ARCHITECTURE.md the folders."""
