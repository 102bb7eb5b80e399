"""A team's own alerts: read from its files, and asked of a real Prometheus over a run's evidence."""
