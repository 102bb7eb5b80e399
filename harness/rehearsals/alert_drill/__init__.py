"""The document's alerts, drilled: breaches planted under a real Prometheus and Alertmanager, local receivers."""
