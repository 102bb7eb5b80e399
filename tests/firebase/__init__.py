"""Tests of the Firebase parts."""
