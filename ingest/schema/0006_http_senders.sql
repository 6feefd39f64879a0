-- Who sends over HTTP: a phone or cloud has an outbox and an owner, and never a word about itself.
-- hearthwatch: always

-- Which token spoke for which gateway, each time to the minute. A row is made with the first request that was let in.
CREATE TABLE intake_token_use (
    gateway_id text NOT NULL,
    token_id   integer NOT NULL REFERENCES intake_token,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    PRIMARY KEY (gateway_id, token_id)
);

CREATE INDEX outbox_account_of_gateway ON outbox_account (gateway_id);

-- Whom a gateway's readings come from over HTTP. Published to other rooms; without the token's fingerprint.
CREATE VIEW http_sender AS
SELECT u.gateway_id, t.token_id, t.name, t.organisation_id, u.first_at, u.last_at, t.revoked_at
  FROM intake_token_use u JOIN intake_token t USING (token_id);
