"""Whole weeks in virtual time: ``harness.rehearsal.conduct``, the phones, the probes, the API's own code, the judge, and
every other part in memory. No thread, no socket, no sleep; the same seed gives the same evidence to the byte.

The first slice of the rung ``sim``: this package is to become ``harness/stack/sim``. What names no port yet in
``harness`` is put in its place by ``world.in_place``.
"""
