"""The rung ``kind``: a real Kubernetes cluster of four nodes in Docker, made by kind."""
