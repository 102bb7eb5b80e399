CREATE TABLE consents (
    id             uuid PRIMARY KEY,
    user_id        varchar(255) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    policy_version text NOT NULL,
    consent_type   text NOT NULL CHECK (consent_type IN ('initial', 'update')),
    consented_at   timestamp NOT NULL,
    platform       text,
    os_version     text,
    app_version    text
);

CREATE TABLE audit_log (
    id         bigserial PRIMARY KEY,
    at         timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    user_id    text NOT NULL,
    action     text NOT NULL,
    subject_id uuid
);
