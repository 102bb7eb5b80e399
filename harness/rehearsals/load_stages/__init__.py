"""``load_stages``: the document's loads, and the search for the knee, on a real stack."""
