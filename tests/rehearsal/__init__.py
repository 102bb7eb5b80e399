"""The seam: what holds for every rehearsal."""
