"""The ground: clock, seed, home, units, waiting, progress. No word of the domain."""
