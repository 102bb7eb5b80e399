"""The images of the rung ``kind``: pulled where a registry answers, else built from Debian packages and Go modules."""
