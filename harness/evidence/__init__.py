"""The evidence of a run: spools (one a process), and the one SQLite file they are gathered into."""
