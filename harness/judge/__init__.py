"""Pure: evidence -> verdicts -> decision (docs/judging.md). Imports NumPy, SciPy and ``harness.model`` alone."""
