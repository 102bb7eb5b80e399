-- Users, walks, locations, consents (docs/contract/walk-api.md#postgresql). Plain for PostgreSQL 15 to 18.

CREATE TYPE walk_status AS ENUM ('not_started', 'in_progress', 'paused', 'completed');

CREATE TABLE users (
    id            varchar(255) PRIMARY KEY,  -- the Firebase uid
    display_name  varchar(255),
    auth_provider varchar(255),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE walks (
    id                    uuid PRIMARY KEY,
    user_id               varchar(255) REFERENCES users (id) ON DELETE SET NULL,
    title                 varchar(255) NOT NULL,
    description           text NOT NULL DEFAULT '',
    start_time            timestamptz,
    end_time              timestamptz,
    total_distance        double precision NOT NULL DEFAULT 0,
    total_steps           integer NOT NULL DEFAULT 0,
    polyline_data         text,
    thumbnail_image_url   varchar(500),
    status                walk_status NOT NULL DEFAULT 'not_started',
    paused_at             timestamptz,
    total_paused_duration double precision NOT NULL DEFAULT 0,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT walks_end_needs_start CHECK (end_time IS NULL OR start_time IS NOT NULL),
    CONSTRAINT walks_end_after_start CHECK (end_time >= start_time),
    CONSTRAINT walks_total_distance_not_negative CHECK (total_distance >= 0),
    CONSTRAINT walks_total_steps_not_negative CHECK (total_steps >= 0),
    CONSTRAINT walks_total_paused_duration_not_negative CHECK (total_paused_duration >= 0)
);

CREATE INDEX walks_user_id_created_at ON walks (user_id, created_at DESC);

CREATE TABLE walk_locations (
    id                  bigserial PRIMARY KEY,
    walk_id             uuid NOT NULL REFERENCES walks (id) ON DELETE CASCADE,
    latitude            double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude           double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    altitude            double precision,
    "timestamp"         timestamptz NOT NULL,
    horizontal_accuracy double precision,
    vertical_accuracy   double precision,
    speed               double precision,
    course              double precision,
    sequence_number     integer NOT NULL CHECK (sequence_number >= 0),
    UNIQUE (walk_id, sequence_number)
);

CREATE TABLE consents (
    id             uuid PRIMARY KEY,
    user_id        varchar(255) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    policy_version varchar(50) NOT NULL,
    consent_type   varchar(10) NOT NULL CHECK (consent_type IN ('initial', 'update')),
    consented_at   timestamptz NOT NULL,
    platform       varchar(50),
    os_version     varchar(50),
    app_version    varchar(50)
);

CREATE INDEX consents_user_id ON consents (user_id);

-- Strictly greater with each update of a row, not only later: the mirror compares updated_at to see whether what it
-- wrote is still the newest, and two updates of one microsecond must not look alike.
CREATE FUNCTION keep_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := greatest(clock_timestamp(), OLD.updated_at + interval '1 microsecond');
    RETURN NEW;
END
$$;

CREATE TRIGGER users_updated_at BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER walks_updated_at BEFORE UPDATE ON walks FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
