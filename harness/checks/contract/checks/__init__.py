"""Checks that more than one rehearsal makes."""
