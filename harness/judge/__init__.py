"""Pure: evidence -> verdicts -> decision (design.md, "Judging"). Imports NumPy, SciPy and ``harness.model`` alone."""
