"""Facts and rules: a rehearsal says what it measured, rules say what that means, and one engine gives the verdict.

Pure: evidence -> verdicts -> decision (docs/judging.md). Imports NumPy, SciPy and ``harness.model`` alone.
"""
