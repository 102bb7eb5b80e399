"""Mutation of what decides (``nox -s mutants -- --minutes 60 harness.rules``): whether a test notices each small change.

mutmut makes the mutants and runs the tests that reach them. What was found is kept in the repository by function
(``kept.json``), with a digest of the function's code: one that changed since is known to be unmeasured, and a new machine
measures only those. Survivors that change nothing that anybody promised are excluded, each with its reason
(``reasons.json``). Nothing fails on a score: it is told.

A function that moved to another module as it was keeps its result and its reasons. A digest does not see what a function
calls, nor the tests: after tests were taken away, ``--again`` measures anew.
"""
