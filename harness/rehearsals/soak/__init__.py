"""The soak: a week's load for hours on one stack, in segments, and what grows meanwhile."""
