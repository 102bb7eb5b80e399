-- A walk has at most 20,000 locations in all (api.model.MAX_LOCATIONS): one user must not make every reader of a walk,
-- the mirror among them, load without bound. What is stored already is not asked; it stays.

ALTER TABLE walk_locations
    ADD CONSTRAINT walk_locations_sequence_number_below_20000 CHECK (sequence_number < 20000) NOT VALID;
