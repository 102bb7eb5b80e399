"""The document's objectives and alerts (SLO定義): their arithmetic, what they cost, and the files rendered of them. Pure."""
