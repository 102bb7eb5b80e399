"""Tests of the drill of the alerts."""
