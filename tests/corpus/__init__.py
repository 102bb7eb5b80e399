"""Stored runs, which judges and pages are held to."""
