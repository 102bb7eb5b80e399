"""The document's objectives and alerts (SLO定義): their arithmetic, their cost, what is rendered of them. Pure."""
