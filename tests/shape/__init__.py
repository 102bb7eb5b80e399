"""The shape of the house, counted from its source: what is there once, and what is there again and again."""
