"""What the rungs on a Kubernetes cluster share: its API server, the target in its namespace, what follows them."""
