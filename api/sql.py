"""The statements, each one round trip. ``{walk}`` stands for the columns of ``api.model.Walk``, in its field order."""

from __future__ import annotations

_WALK = """w.id::text, w.user_id, w.title, w.description, w.start_time, w.end_time, w.paused_at, w.total_distance,
    w.total_steps, w.polyline_data, w.thumbnail_image_url, w.status::text, w.total_paused_duration, w.created_at,
    w.updated_at"""

# One array a column: asyncpg decodes nine arrays faster than it makes a record a location.
_LOCATIONS = """LEFT JOIN LATERAL (
    SELECT array_agg(latitude) AS latitude, array_agg(longitude) AS longitude, array_agg("timestamp") AS "timestamp",
        array_agg(sequence_number) AS sequence_number, array_agg(altitude) AS altitude,
        array_agg(horizontal_accuracy) AS horizontal_accuracy, array_agg(vertical_accuracy) AS vertical_accuracy,
        array_agg(speed) AS speed, array_agg(course) AS course
    FROM (SELECT * FROM walk_locations WHERE walk_id = w.id ORDER BY sequence_number) AS ordered
) AS l ON true"""


# Update first, insert only where there is none. "INSERT ... ON CONFLICT DO UPDATE" will not do: PostgreSQL checks the
# row proposed for insertion first, so a PUT of an end_time alone would break "an end needs a start" on a walk that has
# one. No row comes back when the walk is another's, or when a concurrent statement created or deleted it in between:
# the caller asks whose it is, and runs it again, with a new snapshot, unless it is another's.
# $3 has a bit for each given field, in the order of api.model.CHANGEABLE.
_PUT = """
WITH updated AS (
    UPDATE walks AS w SET
        title                 = CASE WHEN $3::int &    1 <> 0 THEN $4 ELSE w.title END,
        description           = CASE WHEN $3::int &    2 <> 0 THEN coalesce($5, '') ELSE w.description END,
        start_time            = CASE WHEN $3::int &    4 <> 0 THEN $6 ELSE w.start_time END,
        end_time              = CASE WHEN $3::int &    8 <> 0 THEN $7 ELSE w.end_time END,
        paused_at             = CASE WHEN $3::int &   16 <> 0 THEN $8 ELSE w.paused_at END,
        total_distance        = CASE WHEN $3::int &   32 <> 0 THEN $9 ELSE w.total_distance END,
        total_steps           = CASE WHEN $3::int &   64 <> 0 THEN $10 ELSE w.total_steps END,
        polyline_data         = CASE WHEN $3::int &  128 <> 0 THEN $11 ELSE w.polyline_data END,
        thumbnail_image_url   = CASE WHEN $3::int &  256 <> 0 THEN $12 ELSE w.thumbnail_image_url END,
        status                = CASE WHEN $3::int &  512 <> 0 THEN $13::text::walk_status ELSE w.status END,
        total_paused_duration = CASE WHEN $3::int & 1024 <> 0 THEN $14 ELSE w.total_paused_duration END
    WHERE w.id = $1 AND w.user_id = $2
    RETURNING {walk}
), inserted AS (
    INSERT INTO walks AS w (id, user_id, title, description, start_time, end_time, paused_at, total_distance,
        total_steps, polyline_data, thumbnail_image_url, status, total_paused_duration)
    SELECT $1::uuid, $2::varchar, coalesce($4::varchar, $15::varchar), coalesce($5::text, ''), $6::timestamptz,
        $7::timestamptz, $8::timestamptz, coalesce($9::float8, 0), coalesce($10::int, 0), $11::text, $12::varchar,
        coalesce($13::text::walk_status, 'not_started'), coalesce($14::float8, 0)
    WHERE NOT EXISTS (SELECT 1 FROM walks WHERE id = $1)
    ON CONFLICT (id) DO NOTHING
    RETURNING {walk}
), walk AS (
    SELECT * FROM updated UNION ALL SELECT * FROM inserted
)"""


def _statement(text: str) -> str:
    return text.replace("{put}", _PUT).replace("{walk}", _WALK).replace("{locations}", _LOCATIONS)


REMEMBER_USER = """
INSERT INTO users (id, display_name, auth_provider) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING"""

#: total, then the walk's columns; one row of NULLs after the total when the page is empty.
LIST_WALKS = _statement("""
SELECT t.total, p.*
FROM (SELECT count(*) AS total FROM walks WHERE user_id = $1) AS t
LEFT JOIN LATERAL (
    SELECT {walk} FROM walks AS w WHERE w.user_id = $1 ORDER BY w.created_at DESC, w.id DESC LIMIT $2 OFFSET $3
) AS p ON true
ORDER BY p.created_at DESC, p.id DESC""")

CREATE_WALK = _statement("""
INSERT INTO walks AS w (id, user_id, title, description) VALUES ($1, $2, $3, $4) RETURNING {walk}""")

GET_WALK = _statement("SELECT {walk}, l.* FROM walks AS w {locations} WHERE w.id = $1 AND w.user_id = $2")

LOAD_WALK = _statement("SELECT {walk}, l.* FROM walks AS w {locations} WHERE w.id = $1")

WALK_OWNER = "SELECT user_id FROM walks WHERE id = $1"

WALK_VERSION = "SELECT updated_at FROM walks WHERE id = $1"

DELETE_WALK = "DELETE FROM walks WHERE id = $1 AND user_id = $2 RETURNING 1"

PUT_WALK = _statement("{put} SELECT * FROM walk")

PUT_WALK_AND_LOCATIONS = _statement("""{put}, located AS (
    INSERT INTO walk_locations AS l (walk_id, latitude, longitude, "timestamp", sequence_number, altitude,
        horizontal_accuracy, vertical_accuracy, speed, course)
    SELECT $1::uuid, u.* FROM unnest($16::float8[], $17::float8[], $18::timestamptz[], $19::int[], $20::float8[],
        $21::float8[], $22::float8[], $23::float8[], $24::float8[]) AS u
    WHERE EXISTS (SELECT 1 FROM walk)
    ON CONFLICT (walk_id, sequence_number) DO UPDATE SET
        latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude, "timestamp" = EXCLUDED."timestamp",
        altitude = EXCLUDED.altitude, horizontal_accuracy = EXCLUDED.horizontal_accuracy,
        vertical_accuracy = EXCLUDED.vertical_accuracy, speed = EXCLUDED.speed, course = EXCLUDED.course
)
SELECT * FROM walk""")
