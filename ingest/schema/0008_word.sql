-- Ingest's own word: that it lives, and whether it hears a broker. Who looks at the clock tells the silence of ingest
-- from a broker's by it.
-- hearthwatch: always

-- One row per process that takes from a broker; times are clinical. `every_s`: how often it means to speak.
CREATE TABLE ingest_word (
    process     text PRIMARY KEY,       -- its client id at the broker
    said_at     timestamptz NOT NULL,
    every_s     double precision NOT NULL,
    hears       boolean NOT NULL,       -- it is subscribed
    since       timestamptz NOT NULL    -- since when it hears, or hears nobody
) WITH (fillfactor = 50);
