"""Real weeks, observed."""
