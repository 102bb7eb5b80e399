"""Makes PostgreSQL and Firestore agree on a live stack, in a stated direction."""
