"""Chaos Toolkit experiments, one source for every rung: ``experiments/``, and the actions and probes they name.

Chaos Toolkit runs in a process of its own (``python -m chaos.toolkit``); what its actions do is asked of the harness,
which owns the stack, over a socket (``bridge``).
"""
