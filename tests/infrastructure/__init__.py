"""Infrastructure and pipeline, read."""
