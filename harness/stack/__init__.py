"""The stack: one protocol (``protocol``), one package a rung."""
