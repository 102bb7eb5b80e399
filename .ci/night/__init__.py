"""What the scheduled jobs run (docs/night.md): the standard library alone, so that nothing is installed before it."""
