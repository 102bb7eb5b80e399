"""Rehearsal of the Secret Manager CSI pattern: the volume as written, the pods as corrected, a rotation under load."""
