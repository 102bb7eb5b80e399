"""A month: its unit prices, the document's tables of it, and its bill. Data and arithmetic."""
