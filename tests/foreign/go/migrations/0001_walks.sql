-- Times are UTC in columns without a zone; the program writes and reads them so.
CREATE TABLE users (
    id            varchar(255) PRIMARY KEY,
    display_name  text,
    auth_provider text,
    plan          text NOT NULL DEFAULT 'free',
    created_at    timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    updated_at    timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc')
);

CREATE TABLE walks (
    id                    uuid PRIMARY KEY,
    user_id               varchar(255) REFERENCES users (id) ON DELETE SET NULL,
    title                 varchar(255) NOT NULL DEFAULT '',
    description           varchar(1000) NOT NULL DEFAULT '',
    start_time            timestamp,
    end_time              timestamp,
    total_distance        double precision NOT NULL DEFAULT 0 CHECK (total_distance >= 0),
    total_steps           bigint NOT NULL DEFAULT 0 CHECK (total_steps >= 0),
    polyline_data         text,
    thumbnail_image_url   varchar(500),
    status                text NOT NULL DEFAULT 'not_started'
                          CHECK (status IN ('not_started', 'in_progress', 'paused', 'completed')),
    paused_at             timestamp,
    total_paused_duration double precision NOT NULL DEFAULT 0 CHECK (total_paused_duration >= 0),
    app_version           text,
    created_at            timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    updated_at            timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    CONSTRAINT walks_times CHECK (end_time IS NULL OR (start_time IS NOT NULL AND end_time >= start_time))
);
CREATE INDEX walks_by_user ON walks (user_id, created_at DESC);

CREATE TABLE walk_locations (
    id                  bigserial PRIMARY KEY,
    walk_id             uuid NOT NULL REFERENCES walks (id) ON DELETE CASCADE,
    sequence_number     bigint NOT NULL CHECK (sequence_number >= 0),
    latitude            double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude           double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    altitude            double precision,
    "timestamp"         timestamp NOT NULL,
    horizontal_accuracy double precision,
    vertical_accuracy   double precision,
    speed               double precision,
    course              double precision,
    UNIQUE (walk_id, sequence_number)
);

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp() AT TIME ZONE 'utc';
    RETURN NEW;
END
$$;
CREATE TRIGGER walks_touch BEFORE UPDATE ON walks FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
