"""The migration from Firestore to PostgreSQL, drilled under live traffic: killed, resumed, compared field for field."""
