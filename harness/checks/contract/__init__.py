"""What asks a target sentence by sentence: the client, its people, the form of a check and what runs checks, and those
checks that more than one rehearsal makes. ``docs/contract`` is what they hold it to."""
