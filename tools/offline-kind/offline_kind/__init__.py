"""Makes for a machine without an image registry what kind needs there: kind, node images, base images, pod networking.

Standard library only; it asks for Docker, Go and mmdebstrap by their commands.
"""
