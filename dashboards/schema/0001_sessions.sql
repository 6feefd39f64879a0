-- Who is signed in to the console, and who failed to.
-- hearthwatch: always

-- The browser holds the token, the database its hash. Times are the machine's, not clinical.
CREATE TABLE console_session (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    person_id  integer NOT NULL,
    csrf       text NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX console_session_expiry ON console_session (expires_at);

-- Failed sign-ins of the last day. The typed key lies here as a hash: people type passwords into it.
CREATE TABLE sign_in_failure (
    failure_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_hash   bytea NOT NULL,
    address    text NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX sign_in_failure_at ON sign_in_failure (at);
