"""Moves walks, users and consents from Firebase to PostgreSQL, and makes the two stores agree: one engine for both."""
