"""The words of the rehearsal as types: claims, scenarios, evidence, verdicts. Pure data, no I/O."""
