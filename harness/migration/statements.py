"""The statements of a migration: the journal in the database, the staging tables, the version rule, the upsert. Pure.

The version rule: what PostgreSQL holds is replaced only by a document that was written later, by ``updated_at``. A
trigger of the database may have replaced the ``updated_at`` that was inserted; then the journal knows both, and as long
as the row is as the migration left it, its version is the document's. A walk is replaced by DELETE and INSERT: an
UPDATE would let the contract's trigger make it look newer than the document is, and so than the document's next write.

A phone sets ``updated_at``. Where Firestore's own time of the document (``written``) says the opposite, nothing is
replaced, and a person decides. The walk's own time (``at``) is its trigger's, which only grows: behind a document of
the future it is of the future, too, and the time of the move stands for it.

What becomes of a document that is moved to PostgreSQL, by the version rule. Pure.
"""

from __future__ import annotations

from enum import StrEnum

from harness.migration.convert import CONSENT_COLUMNS, LOCATION_COLUMNS, WALK_COLUMNS
from harness.model.message import Message, message

OTHER_CONTENT = message("PostgreSQL holds other content of the same version")
CLOCKS = message(
    "its updated_at and Firestore's own time disagree on whether it or the walk was written last, as of a wrong clock: "
    "the walk stays as it is"
)


class Fate(StrEnum):
    """``harness.migration.statements.DECIDE`` says which."""

    NEW = "new"  # PostgreSQL had no such row
    NEWER = "newer"  # an older walk was replaced
    SAME = "same"  # PostgreSQL has this version
    OLDER = "older"  # PostgreSQL has a later one, which stays
    OVERTAKEN = "overtaken"  # the API wrote it at the same moment; the next look decides
    DISPUTED = "disputed"  # by updated_at and by Firestore's own time not the same of the two is later
    DELETED = "deleted"  # it was moved, and its row is gone since
    FEWER = "fewer"  # the later document has fewer locations than the walk
    DIFFERENT = "different"  # of one version or one id, and not of one content

    @property
    def written(self) -> bool:
        """Whether a row was written of it."""
        return self in (Fate.NEW, Fate.NEWER)

    @property
    def counted(self) -> Fate:
        """As what people are told of it: the walk of one that is disputed stays, as that of an older one."""
        return Fate.OLDER if self is Fate.DISPUTED else self

    @property
    def why(self) -> Message | None:
        """Why a person has to decide; ``None`` where nobody has to."""
        return _WHY.get(self)


_WHY = {
    Fate.DISPUTED: CLOCKS,
    Fate.DELETED: message("was moved before, and its walk was deleted in PostgreSQL since: it is not brought back"),
    Fate.FEWER: message("was written later than the walk, and has fewer locations: nothing is taken away"),
    Fate.DIFFERENT: OTHER_CONTENT,
}


SCHEMA = "tekutoko_migration"

#: The journal: the Firebase project, the ranges of names that are done, the passes with Firestore's time at their
#: beginning (what was not written since has been read by one that ended), what was moved, what was refused.
JOURNAL = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.ranges (
    pass integer NOT NULL, kind text NOT NULL, through text NOT NULL, last boolean NOT NULL,
    counts jsonb NOT NULL, done_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (pass, kind, through, last));
CREATE TABLE IF NOT EXISTS {SCHEMA}.passes (
    kind text NOT NULL, pass integer NOT NULL, begun_at timestamptz NOT NULL, ended boolean NOT NULL DEFAULT false,
    PRIMARY KEY (kind, pass));
CREATE TABLE IF NOT EXISTS {SCHEMA}.moved (
    walk_id uuid PRIMARY KEY, document text NOT NULL, version timestamptz NOT NULL, stored_at timestamptz NOT NULL,
    pass integer NOT NULL, moved_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS {SCHEMA}.refused (
    kind text NOT NULL, document text NOT NULL, field text NOT NULL, why text NOT NULL,
    PRIMARY KEY (kind, document));
CREATE TABLE IF NOT EXISTS {SCHEMA}.source (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), project text NOT NULL);
ALTER TABLE {SCHEMA}.refused ADD COLUMN IF NOT EXISTS told text NOT NULL DEFAULT '';
"""

COMES_FROM = f"""
INSERT INTO {SCHEMA}.source (project) VALUES ($1)
ON CONFLICT (one) DO UPDATE SET project = EXCLUDED.project"""  # noqa: S608 - the contract's own names
#: None as long as no document of it was read, nor a walk left by it: a mistyped project holds no database.
SOURCE = f"""
SELECT project FROM {SCHEMA}.source
WHERE EXISTS (SELECT FROM {SCHEMA}.moved) OR EXISTS (SELECT FROM {SCHEMA}.ranges WHERE through <> '')"""  # noqa: S608

#: Of the connection's own; ``fate`` is what ``DECIDE`` makes of each walk, ``stored_at`` the row's after ``INSERT``.
STAGING = """
CREATE TEMP TABLE IF NOT EXISTS staged_walks (
    id uuid NOT NULL, user_id text, title text, description text, start_time timestamptz, end_time timestamptz,
    total_distance float8, total_steps integer, polyline_data text, thumbnail_image_url text, status text,
    paused_at timestamptz, total_paused_duration float8, created_at timestamptz, updated_at timestamptz,
    document text, points integer, written timestamptz, fate text, stored_at timestamptz) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS staged_locations (
    walk_id uuid, sequence_number integer, latitude float8, longitude float8, "timestamp" timestamptz, altitude float8,
    horizontal_accuracy float8, vertical_accuracy float8, speed float8, course float8) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS no_journal (
    walk_id uuid, document text, version timestamptz, stored_at timestamptz, moved_at timestamptz);
SET client_min_messages = warning;
"""
STAGED_WALKS = (*WALK_COLUMNS, "document", "points", "written")

_GAPS = """(u.display_name IS NULL AND {given}.display_name IS NOT NULL)
   OR (u.auth_provider IS NULL AND {given}.auth_provider IS NOT NULL)"""
#: A user's row as the API makes it at the first call, its gaps filled by what Auth knows.
USERS = f"""
INSERT INTO users AS u (id, display_name, auth_provider, created_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
ON CONFLICT (id) DO UPDATE SET
    display_name = coalesce(u.display_name, EXCLUDED.display_name),
    auth_provider = coalesce(u.auth_provider, EXCLUDED.auth_provider)
WHERE {_GAPS.format(given="EXCLUDED")}
RETURNING (xmax = 0) AS fresh"""  # noqa: S608 - the contract's own names
#: What that would return.
LOOK_AT_USERS = f"""
SELECT u.id IS NULL AS fresh
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS g (id, display_name, auth_provider, created_at)
    LEFT JOIN users AS u ON u.id = g.id
WHERE u.id IS NULL OR {_GAPS.format(given="g")}"""  # noqa: S608 - the contract's own names
#: Owners of what is moved whom Auth no longer knows; a transaction of its own, so that no caller of the API waits.
OWNERS = "INSERT INTO users (id) SELECT unnest($1::text[]) ON CONFLICT (id) DO NOTHING"

THERE = "SELECT id FROM walks WHERE id = ANY($1::uuid[])"
#: Rows are locked in one order, and held until the batch is committed. One that the API makes after is not among them.
LOCK = "SELECT w.id FROM walks AS w WHERE w.id = ANY($1::uuid[]) ORDER BY w.id FOR UPDATE"

_FATE = """
UPDATE staged_walks AS s SET fate = CASE
    WHEN w.id IS NULL THEN CASE WHEN m.walk_id IS NULL THEN 'new' ELSE 'deleted' END
    WHEN NOT w.id = ANY($1::uuid[]) THEN 'overtaken'
    WHEN s.updated_at = v.version THEN 'same'
    WHEN s.updated_at < v.version AND CASE WHEN v.as_moved THEN m.document = s.document ELSE s.written > v.at END
        THEN 'disputed'
    WHEN s.updated_at < v.version THEN 'older'
    WHEN s.written < v.at AND NOT v.as_moved THEN 'disputed'
    WHEN s.points < (SELECT count(*) FROM walk_locations AS l WHERE l.walk_id = s.id) THEN 'fewer'
    ELSE 'newer' END
FROM staged_walks AS o
    LEFT JOIN walks AS w ON w.id = o.id
    LEFT JOIN {journal} AS m ON m.walk_id = o.id
    LEFT JOIN LATERAL (SELECT coalesce(m.stored_at = w.updated_at, false) AS as_moved,
        CASE WHEN m.stored_at = w.updated_at THEN m.version ELSE w.updated_at END AS version,
        CASE WHEN m.version > m.moved_at THEN m.moved_at ELSE w.updated_at END AS at) AS v ON true
WHERE s.id = o.id"""
#: ``$1`` are the rows that are locked, or all in a dry run.
DECIDE = _FATE.format(journal=f"{SCHEMA}.moved")
#: Where no journal is yet: in a dry run before the first.
DECIDE_ANEW = _FATE.format(journal="no_journal")

DELETE = "DELETE FROM walks AS w USING staged_walks AS s WHERE w.id = s.id AND s.fate = 'newer'"
_COLUMNS = ", ".join(WALK_COLUMNS)
#: A walk that the API made in between stays as it is: its row has no ``stored_at``.
INSERT = f"""
WITH stored AS (
    INSERT INTO walks ({_COLUMNS})
    SELECT {", ".join("status::{status}" if name == "status" else name for name in WALK_COLUMNS)}
    FROM staged_walks WHERE fate IN ('new', 'newer')
    ON CONFLICT (id) DO NOTHING RETURNING id, updated_at)
UPDATE staged_walks AS s SET stored_at = stored.updated_at FROM stored
WHERE s.id = stored.id AND s.fate IN ('new', 'newer')"""  # noqa: S608 - the contract's own names
_POINTS = ", ".join(f'"{name}"' for name in LOCATION_COLUMNS)
INSERT_LOCATIONS = f"""
INSERT INTO walk_locations ({_POINTS})
SELECT {", ".join(f'l."{name}"' for name in LOCATION_COLUMNS)}
FROM staged_locations AS l
WHERE l.walk_id IN (SELECT id FROM staged_walks WHERE stored_at IS NOT NULL)"""  # noqa: S608 - the contract's own names
REMEMBER = f"""
INSERT INTO {SCHEMA}.moved AS m (walk_id, document, version, stored_at, pass)
SELECT id, document, updated_at, stored_at, $1::int FROM staged_walks WHERE stored_at IS NOT NULL
ON CONFLICT (walk_id) DO UPDATE SET
    document = EXCLUDED.document, version = EXCLUDED.version, stored_at = EXCLUDED.stored_at,
    pass = EXCLUDED.pass, moved_at = clock_timestamp()"""  # noqa: S608 - the contract's own names
#: Of documents, given by id, whose walks are in PostgreSQL: those that no migration left so, from now on as if.
AGREED = f"""
INSERT INTO {SCHEMA}.moved AS m (walk_id, document, version, stored_at, pass)
SELECT DISTINCT ON (w.id) w.id, k.name, w.updated_at, w.updated_at, 0
FROM walks AS w JOIN unnest($1::text[]) AS k (name) ON lower(k.name) = w.id::text
ON CONFLICT (walk_id) DO UPDATE SET
    document = EXCLUDED.document, version = EXCLUDED.version, stored_at = EXCLUDED.stored_at, moved_at = DEFAULT
WHERE m.stored_at <> EXCLUDED.stored_at RETURNING walk_id"""  # noqa: S608 - the contract's own names
FATES = """
SELECT document, CASE WHEN fate IN ('new', 'newer') AND stored_at IS NULL THEN 'overtaken' ELSE fate END
FROM staged_walks"""
DRY_FATES = "SELECT document, fate FROM staged_walks"

_CONSENTS_GIVEN = (
    "unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[]"
)
STORE_CONSENTS = f"""
INSERT INTO consents ({", ".join(CONSENT_COLUMNS)}) SELECT * FROM {_CONSENTS_GIVEN})
ON CONFLICT (id) DO NOTHING RETURNING id"""  # noqa: S608 - the contract's own names
#: A statement of its own: it sees what the one before has stored, and what somebody else did.
LOOK_AT_CONSENTS = f"""
SELECT g.document, g.id, CASE
    WHEN c.id IS NULL THEN 'new'
    WHEN (c.user_id, c.policy_version, c.consent_type, c.consented_at, c.platform, c.os_version, c.app_version)
        IS NOT DISTINCT FROM
        (g.user_id, g.policy_version, g.consent_type, g.consented_at, g.platform, g.os_version, g.app_version)
        THEN 'same'
    ELSE 'different' END AS fate
FROM {_CONSENTS_GIVEN}, $9::text[]) AS g ({", ".join(CONSENT_COLUMNS)}, document)
    LEFT JOIN consents AS c ON c.id = g.id"""  # noqa: S608 - the contract's own names
#: Of no document, given by id.
CONSENTS_ALONE = """
SELECT count(*) FROM consents AS c
WHERE NOT EXISTS (SELECT 1 FROM unnest($1::text[]) AS k (id) WHERE k.id = c.id::text)"""

#: Each range is committed behind the one before, so that the last one says how far the pass has come.
LATEST = f"SELECT pass, through, last FROM {SCHEMA}.ranges WHERE kind = $1 ORDER BY pass DESC, done_at DESC LIMIT 1"  # noqa: S608
DONE = f"""
INSERT INTO {SCHEMA}.ranges (pass, kind, through, last, counts) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING"""  # noqa: S608 - the contract's own names
NUMBER = f"""
SELECT greatest((SELECT max(pass) FROM {SCHEMA}.ranges WHERE kind = $1),
    (SELECT max(pass) FROM {SCHEMA}.passes WHERE kind = $1))"""  # noqa: S608 - the contract's own names
BEGIN = f"INSERT INTO {SCHEMA}.passes (kind, pass, begun_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"  # noqa: S608
END = f"UPDATE {SCHEMA}.passes SET ended = true WHERE kind = $1 AND pass = $2"  # noqa: S608
READ_UP_TO = f"SELECT max(begun_at) FROM {SCHEMA}.passes WHERE kind = $1 AND ended"  # noqa: S608
#: Of all documents, given by path, id and when they were written: those that were written since, were refused, or have
#: no row, whatever the reason; and the others of the same row with them.
CHANGED = """
WITH looked_at AS (
    SELECT k.path, bool_or(k.written >= $4 OR t.id IS NULL OR r.document IS NOT NULL)
        OVER (PARTITION BY lower(k.name)) AS chosen
    FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS k (path, name, written)
        LEFT JOIN {table} AS t ON t.id::text = lower(k.name)
        LEFT JOIN {schema}.refused AS r ON r.kind = $5 AND r.document = k.path)
SELECT path FROM looked_at WHERE chosen ORDER BY path COLLATE "C" """
GONE = f"""
DELETE FROM {SCHEMA}.refused AS r WHERE r.kind = $1
    AND NOT EXISTS (SELECT 1 FROM unnest($2::text[]) AS k (path) WHERE k.path = r.document)"""  # noqa: S608
#: A pass over all begins: until it has ended, nothing else has read everything.
FORGET = (
    f"DELETE FROM {SCHEMA}.refused WHERE kind = $1",  # noqa: S608
    f"UPDATE {SCHEMA}.passes SET ended = false WHERE kind = $1",  # noqa: S608
)
UNREFUSE = f"DELETE FROM {SCHEMA}.refused WHERE kind = $1 AND document = ANY($2::text[])"  # noqa: S608
REFUSE = f"""
INSERT INTO {SCHEMA}.refused SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (kind, document)
    DO UPDATE SET field = EXCLUDED.field, why = EXCLUDED.why, told = EXCLUDED.told"""  # noqa: S608 - the contract's own names

#: Both ways: what PostgreSQL holds, and of it what this pass moved and may have moved after its walk was deleted.
HELD_WALKS = f"""
SELECT {", ".join(f"w.{name}" + ("::text" if name == "status" else "") for name in WALK_COLUMNS)},
    CASE WHEN m.stored_at = w.updated_at THEN m.version ELSE w.updated_at END AS version
FROM walks AS w LEFT JOIN {SCHEMA}.moved AS m ON m.walk_id = w.id WHERE w.id = ANY($1::uuid[])"""  # noqa: S608
HELD_LOCATIONS = f"""
SELECT {_POINTS} FROM walk_locations WHERE walk_id = ANY($1::uuid[]) ORDER BY walk_id, sequence_number"""  # noqa: S608
OTHERS = f"""
SELECT w.id, m.document, coalesce(m.stored_at = w.updated_at, false) AS untouched,
    coalesce(m.pass = $2 AND m.stored_at = w.updated_at, false) AS of_this_pass
FROM walks AS w LEFT JOIN {SCHEMA}.moved AS m ON m.walk_id = w.id
WHERE NOT EXISTS (SELECT 1 FROM unnest($1::uuid[]) AS s (id) WHERE s.id = w.id)"""  # noqa: S608
NOW = "SELECT clock_timestamp()"
COUNT = "SELECT count(*) FROM walks"
RECENT = f"SELECT walk_id, document FROM {SCHEMA}.moved WHERE moved_at > $1"  # noqa: S608
#: Of walks, given by id, those that are as a migration left them: what ``TAKE_BACK`` deletes.
AS_MOVED = f"""
SELECT m.walk_id, m.document FROM {SCHEMA}.moved AS m JOIN walks AS w ON w.id = m.walk_id
WHERE w.id = ANY($1::uuid[]) AND m.stored_at = w.updated_at ORDER BY m.document"""  # noqa: S608
TAKE_BACK = f"""
WITH gone AS (
    DELETE FROM walks AS w USING {SCHEMA}.moved AS m
    WHERE w.id = ANY($1::uuid[]) AND m.walk_id = w.id AND m.stored_at = w.updated_at RETURNING w.id)
DELETE FROM {SCHEMA}.moved AS m USING gone WHERE m.walk_id = gone.id RETURNING m.walk_id"""  # noqa: S608
REFUSED = f"SELECT kind, document, field, why, told FROM {SCHEMA}.refused ORDER BY kind, document"  # noqa: S608
