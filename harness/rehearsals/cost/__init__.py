"""The document's costs: its tables recomputed from a list of unit prices, and the bill of a run that was measured."""
