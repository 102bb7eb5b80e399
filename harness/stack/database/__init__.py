"""PostgreSQL of any environment: the sidecar in front of it, and failover to a standby."""
