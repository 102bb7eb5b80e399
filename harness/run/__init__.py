"""The seam: what a rehearsal is, how its run is judged into one ``Result``, and where each is found."""
