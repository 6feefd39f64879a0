-- HTTP intake: who may send readings over HTTP, and for which gateways.
-- hearthwatch: always

-- A token is 32 random bytes, shown once when it is made; here lies only its SHA-256. A slow password hash (argon2)
-- protects secrets that people choose, which can be guessed; 256 random bits can not be, so a fast hash is enough, and
-- it lets a token be found by its index. It speaks for the gateways of its organisation and of all below it.
CREATE TABLE intake_token (
    token_id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256          bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),
    organisation_id integer NOT NULL,
    name            text NOT NULL CHECK (name <> ''),
    created_at      timestamptz NOT NULL,
    last_used_at    timestamptz,        -- to the minute
    revoked_at      timestamptz
);
CREATE UNIQUE INDEX intake_token_standing ON intake_token (organisation_id, name) WHERE revoked_at IS NULL;

COMMENT ON COLUMN rejected.payload IS
    'A message that could not be read: as it came (at most 256 KiB of it). A message that the database refused: as it '
    'came, whole. Single readings: 24-byte rows, little endian: row_no i8, measured_ms i8, value i2, signal u1, '
    'quality u1, reason u1, acquisition u1, 2 bytes of padding (ingest/refusals.py).';
