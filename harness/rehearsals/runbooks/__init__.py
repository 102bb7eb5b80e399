"""The manual's runbooks and exercises: every command of their pages typed on a real cluster, in order."""
