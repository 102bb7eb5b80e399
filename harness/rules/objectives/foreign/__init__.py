"""A team's own alerts: what their queries compare, and what is wrong with them. Pure."""
