-- Statements of time-driven work (docs/time-driven-work.md): roll-ups, retention, the record of each job.

-- name: try_lock
-- Be the one that works in a lane, for as long as the session lives; another one may be it already.
SELECT pg_try_advisory_lock(2, %(lane)s);

-- name: worker
-- Which session works now, in the prompt lane.
SELECT a.pid, a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid)
 WHERE l.locktype = 'advisory' AND l.classid = 2 AND l.objid = 1 AND l.objsubid = 2 AND l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: make_staging
-- Make the connection's staging table once; it empties itself at the end of each transaction.
CREATE TEMPORARY TABLE staged_span (patient_id integer, from_at timestamptz, until_at timestamptz)
    ON COMMIT DELETE ROWS;

-- name: next_batches
-- What the roll-ups have not read, from each partition at most so many batches and bytes, but one batch at least. What
-- is not readings is passed over: it counts as a batch of none.
SELECT l.partition, l.batch_id, CASE WHEN l.kind = 'readings' THEN l.payload ELSE '' END
  FROM intake_reader r
 CROSS JOIN LATERAL (
    SELECT n.*, sum(octet_length(n.payload)) OVER (ORDER BY n.batch_id) - octet_length(n.payload) AS bytes_before
      FROM (SELECT * FROM intake_log i WHERE i.partition = r.partition AND i.batch_id > r.batch_id
             ORDER BY i.batch_id LIMIT %(batches_each)s) n) l
 WHERE r.reader = 'rollups' AND l.bytes_before < %(bytes_each)s;

-- name: move_cursors
-- Note what the roll-ups have read; together with the roll-ups made of it, or not at all.
UPDATE intake_reader r SET batch_id = t.batch_id
  FROM unnest(%(partitions)s::smallint[], %(batch_ids)s::bigint[]) AS t (partition, batch_id)
 WHERE r.reader = 'rollups' AND r.partition = t.partition;

-- name: backlog
-- How many batches the roll-ups have not read, and when the oldest of these came.
SELECT COALESCE(sum(p.head - r.batch_id), 0)::bigint AS batches,
       min((SELECT received_at FROM intake_log l WHERE l.partition = r.partition AND l.batch_id > r.batch_id
             ORDER BY l.batch_id LIMIT 1)) AS oldest
  FROM intake_reader r JOIN partition p USING (partition) WHERE r.reader = 'rollups';

-- name: sample_floor
-- Before which instant raw samples were dropped.
SELECT EXTRACT(epoch FROM NULLIF(before, '-infinity'))::bigint * 1000 FROM dropped WHERE class = 'sample';

-- name: make_room
-- Make the partitions that roll-ups of these days need (plain PostgreSQL only).
SELECT rollup_make_room(%(days)s::date[]);

-- name: stage_spans
-- Stage which minutes of which patients are to be made anew: runs of minutes of one day.
COPY staged_span (patient_id, from_at, until_at) FROM STDIN (FORMAT binary);

-- name: empty_stage
-- Take the staged spans out.
DELETE FROM staged_span;

-- name: by_index
-- Let samples be found through the index, whatever the planner thinks of a table it knows nothing of.
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
       set_config('enable_seqscan', 'off', true), set_config('work_mem', '128MB', true);

-- name: make_minutes
-- Make the staged minutes anew from the samples, for the signals that have news. OFFSET 0: span by span through the
-- index, also where nothing has been analysed yet (the other order took eighty times as long). A good continuous SpO2 holds until the
-- next one, at most 10 s; what it holds beyond its minute counts in the next minute.
WITH word AS (
    SELECT s.patient_id, s.measured_at, s.device_id, d.from_at, d.until_at, s.quality, {values},
           date_bin('1 minute', s.measured_at, 'epoch') AS begins_at,
           CASE WHEN s.acquisition = 0 AND (s.quality IS NULL OR get_byte(s.quality, 0) < 64) THEN s.spo2 END AS held
      FROM staged_span d
     CROSS JOIN LATERAL (
        SELECT * FROM sample
         WHERE patient_id = d.patient_id AND measured_at >= d.from_at - INTERVAL '10 s' AND measured_at < d.until_at
           AND measured_at >= %(first)s AND measured_at < %(last)s
        OFFSET 0) s
), lasting AS (
    SELECT *, begins_at + INTERVAL '1 minute' AS ends_at, CASE WHEN held IS NOT NULL THEN LEAST(
        lead(measured_at) OVER (PARTITION BY patient_id, held IS NULL ORDER BY measured_at, device_id),
        measured_at + INTERVAL '10 s') END AS held_until
      FROM word
), part AS (
    SELECT patient_id, begins_at, from_at, until_at, quality, {names}, held,
           LEAST(held_until, ends_at) - measured_at AS held_for FROM lasting
    UNION ALL
    SELECT patient_id, ends_at, from_at, until_at, NULL, {nulls}, held, held_until - ends_at
      FROM lasting WHERE held_until > ends_at
)
INSERT INTO minute_rollup AS r (patient_id, begins_at, covered_ms, below_90_ms, below_93_ms, {columns})
SELECT patient_id, begins_at, COALESCE(EXTRACT(epoch FROM sum(held_for) FILTER (WHERE held IS NOT NULL)) * 1000, 0),
       COALESCE(EXTRACT(epoch FROM sum(held_for) FILTER (WHERE held < 9000)) * 1000, 0),
       COALESCE(EXTRACT(epoch FROM sum(held_for) FILTER (WHERE held < 9300)) * 1000, 0), {aggregates}
  FROM part WHERE begins_at >= from_at AND begins_at < until_at
 GROUP BY patient_id, begins_at
    ON CONFLICT (patient_id, begins_at) DO UPDATE SET covered_ms = excluded.covered_ms,
       below_90_ms = excluded.below_90_ms, below_93_ms = excluded.below_93_ms, {updates};

-- name: forget_minutes
-- Take the staged minutes away: their samples may have gone (to another patient), and then nothing would make them anew.
DELETE FROM minute_rollup r USING staged_span d
 WHERE r.patient_id = d.patient_id AND r.begins_at >= d.from_at AND r.begins_at < d.until_at
   AND r.begins_at >= %(first)s AND r.begins_at < %(last)s;

-- name: forget_hours
-- Take hours of the staged minutes away that have no minute left; the others are made anew.
DELETE FROM hour_rollup h USING staged_span d
 WHERE h.patient_id = d.patient_id AND h.begins_at >= date_bin('1 hour', d.from_at, 'epoch') AND h.begins_at < d.until_at
   AND NOT EXISTS (SELECT FROM minute_rollup m WHERE m.patient_id = h.patient_id AND m.begins_at >= h.begins_at
                      AND m.begins_at < h.begins_at + INTERVAL '1 hour');

-- name: mark_hours
-- Remember the hours of the staged minutes.
INSERT INTO dirty_hour (patient_id, begins_at)
SELECT DISTINCT patient_id, hour
  FROM staged_span
 CROSS JOIN LATERAL generate_series(date_bin('1 hour', from_at, 'epoch'), until_at - INTERVAL '1 minute', '1 hour')
    AS hour
 ORDER BY patient_id, hour
    ON CONFLICT DO NOTHING;

-- name: take_hours
-- Take some of the hours whose minutes have changed, the oldest first.
DELETE FROM dirty_hour WHERE (patient_id, begins_at) IN (
    SELECT patient_id, begins_at FROM dirty_hour ORDER BY begins_at, patient_id LIMIT %(most)s)
RETURNING patient_id, begins_at;

-- name: hours_left
-- How many hours wait.
SELECT count(*) FROM dirty_hour;

-- name: make_hours
-- Make the staged hours anew from their minutes, hour by hour through the index.
INSERT INTO hour_rollup AS r (patient_id, begins_at, covered_ms, below_90_ms, below_93_ms, {columns})
SELECT d.patient_id, d.from_at, sum(covered_ms), sum(below_90_ms), sum(below_93_ms), {aggregates}
  FROM staged_span d
 CROSS JOIN LATERAL (
    SELECT * FROM minute_rollup
     WHERE patient_id = d.patient_id AND begins_at >= d.from_at AND begins_at < d.until_at
       AND begins_at >= %(first)s AND begins_at < %(last)s
    OFFSET 0) m
 GROUP BY d.patient_id, d.from_at
    ON CONFLICT (patient_id, begins_at) DO UPDATE SET covered_ms = excluded.covered_ms,
       below_90_ms = excluded.below_90_ms, below_93_ms = excluded.below_93_ms, {updates};

-- name: oldest_piece
-- The oldest piece of a table that lies wholly before an instant, and how many there are.
SELECT piece::text, begins_at, ends_at, count(*) OVER () AS pieces
  FROM pieces_of(%(whole)s) WHERE ends_at <= %(before)s ORDER BY begins_at LIMIT 1;

-- name: drop_piece
-- Drop it.
SELECT drop_piece(%(whole)s, %(piece)s::regclass);

-- name: be_brief
-- Wait for no lock longer than a moment: whoever stands behind us would wait as long.
SELECT set_config('lock_timeout', '3s', true);

-- name: lock_piece
-- Let nobody write into it any more.
LOCK TABLE {piece} IN EXCLUSIVE MODE;

-- name: keep_evidence
-- Copy what lies in an episode's evidence window, with a margin at both ends.
INSERT INTO sample_evidence
SELECT s.* FROM evidence_window w
 CROSS JOIN LATERAL (
    SELECT * FROM sample
     WHERE patient_id = w.patient_id AND measured_at >= w.from_at - %(margin)s
       AND measured_at <= w.until_at + %(margin)s
       AND measured_at >= %(begins_at)s AND measured_at < %(ends_at)s
    OFFSET 0) s
 WHERE w.from_at - %(margin)s < %(ends_at)s AND w.until_at + %(margin)s >= %(begins_at)s
    ON CONFLICT DO NOTHING;

-- name: note_dropped
-- Remember that everything before was dropped.
INSERT INTO dropped AS d (class, before) VALUES (%(whole)s, %(ends_at)s)
    ON CONFLICT (class) DO UPDATE SET before = GREATEST(d.before, excluded.before);

-- name: oldest_unread
-- When the oldest batch came that some reader of the intake log still needs, and whose it is.
SELECT r.reader, l.received_at
  FROM intake_reader r
 CROSS JOIN LATERAL (SELECT received_at FROM intake_log l WHERE l.partition = r.partition AND l.batch_id > r.batch_id
                      ORDER BY l.batch_id LIMIT 1) l
 ORDER BY l.received_at, r.reader LIMIT 1;

-- name: newest_received
-- When the newest reading came: of each partition the batch that was committed last, so that hours in which the clock
-- was ahead count no longer once readings come by the right one. Other events of the log are no readings.
SELECT max(l.said_at)
  FROM partition p
 CROSS JOIN LATERAL (SELECT COALESCE(l.said_at, l.received_at) AS said_at FROM intake_log l
                      WHERE l.partition = p.partition AND l.kind = 'readings'
                      ORDER BY l.batch_id DESC LIMIT 1) l;

-- name: trim_log
-- Delete batches that every reader has read, that came before an instant, and an hour before the newest readings at the
-- hindmost reader's place: the engine fills its windows from the last minutes of readings before its own.
WITH hindmost AS (
    SELECT p.partition, COALESCE(min(r.batch_id), 0) AS batch_id
      FROM partition p LEFT JOIN intake_reader r USING (partition) GROUP BY p.partition
), place AS (
    SELECT h.partition, h.batch_id, LEAST(%(before)s, (
        SELECT COALESCE(l.said_at, l.received_at) - INTERVAL '1 hour' FROM intake_log l
         WHERE l.partition = h.partition AND l.batch_id <= h.batch_id AND l.kind = 'readings'
         ORDER BY l.batch_id DESC LIMIT 1)) AS before
      FROM hindmost h
)
DELETE FROM intake_log l USING place
 CROSS JOIN LATERAL (SELECT batch_id FROM intake_log o WHERE o.partition = place.partition
                      ORDER BY o.batch_id LIMIT %(most_each)s) oldest
 WHERE l.partition = place.partition AND l.batch_id = oldest.batch_id
   AND l.batch_id <= place.batch_id AND COALESCE(l.said_at, l.received_at) < place.before;

-- name: forget_rejected
-- Delete what was put aside long ago and has not come again since.
DELETE FROM rejected WHERE rejected_id IN (
    SELECT rejected_id FROM rejected WHERE received_at < %(before)s AND last_received_at < %(before)s
     ORDER BY received_at LIMIT %(most)s FOR UPDATE SKIP LOCKED);

-- name: licence
-- Which edition of TimescaleDB this is; NULL: none.
SELECT current_setting('timescaledb.license', true);

-- name: columnstore_on
-- Let a table's old chunks be compressed (Community edition).
ALTER TABLE {whole} SET (timescaledb.compress, timescaledb.compress_segmentby = 'patient_id',
    timescaledb.compress_orderby = '{order_by}');

-- name: is_columnstore
-- Whether a table's chunks may be compressed already.
SELECT compression_enabled FROM timescaledb_information.hypertables WHERE hypertable_name = %(whole)s;

-- name: oldest_uncompressed
-- The oldest chunk before an instant that is not compressed, and how many there are.
SELECT format('%%I.%%I', chunk_schema, chunk_name), range_start, count(*) OVER ()
  FROM timescaledb_information.chunks
 WHERE hypertable_name = %(whole)s AND NOT is_compressed AND range_end <= %(before)s ORDER BY range_start LIMIT 1;

-- name: compress
-- Compress one chunk.
SELECT compress_chunk(%(piece)s::regclass);

-- name: patient_limits
-- For rebuilding an index of gigabytes: an hour, five minutes for a lock (readers and writers do not stand behind it),
-- and one core.
SELECT set_config('statement_timeout', '1h', false), set_config('lock_timeout', '5min', false),
       set_config('max_parallel_maintenance_workers', '0', false);

-- name: usual_limits
-- The session's own again.
SELECT set_config(name, reset_val, false) FROM pg_settings
 WHERE name IN ('statement_timeout', 'lock_timeout', 'max_parallel_maintenance_workers');

-- name: indexed_pieces
-- Every day of samples with its index, and how many rows it has: rows a page as they were last counted, times pages.
-- NULL where that was never done, or when it was smaller by a fifth. Not those at which somebody else is at work: of
-- two rebuilds that wait for each other one is broken off.
SELECT p.piece::text AS name, i.indexrelid::regclass::text AS index, p.ends_at,
       COALESCE(pg_relation_size(i.indexrelid), 0) AS index_bytes,
       CASE WHEN c.reltuples > 0 AND c.relpages > 0 AND c.relpages >= 0.8 * s.pages
            THEN (c.reltuples / c.relpages * s.pages)::bigint END AS rows
  FROM pieces_of('sample') p
  JOIN pg_class c ON c.oid = p.piece
  JOIN pg_index i ON i.indrelid = p.piece AND i.indisunique AND i.indisvalid
 CROSS JOIN LATERAL (SELECT pg_relation_size(p.piece) / current_setting('block_size')::bigint AS pages) s
 WHERE NOT EXISTS (SELECT FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
                    WHERE l.relation = p.piece AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
                      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                      AND a.backend_type IS DISTINCT FROM 'autovacuum worker');

-- name: count_piece
-- Count its rows, from a sample of its pages.
ANALYZE {piece};

-- name: left_behind
-- Indexes that a rebuild made and did not live to take over, or to drop: the server never looks at them again, and each
-- row that is written is written into them too. Not those of a rebuild that is going on.
SELECT i.indexrelid::regclass::text
  FROM pieces_of('sample') p
  JOIN pg_index i ON i.indrelid = p.piece AND NOT i.indisvalid
  JOIN pg_class c ON c.oid = i.indexrelid AND c.relname ~ '_cc(new|old)[0-9]*$'
 WHERE NOT EXISTS (SELECT FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
                    WHERE l.relation = p.piece AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
                      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                      AND a.backend_type IS DISTINCT FROM 'autovacuum worker');

-- name: drop_index
-- Drop one.
DROP INDEX CONCURRENTLY IF EXISTS {index};

-- name: open_for_long
-- Whose transaction has been open for longest, of those that a rebuild would wait for in the end.
SELECT COALESCE(NULLIF(application_name, ''), usename::text), xact_start FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND backend_xmin IS NOT NULL
   AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - make_interval(secs => %(open_s_max)s)
 ORDER BY xact_start LIMIT 1;

-- name: rebuild_index
-- Write it anew beside itself, while it serves, then let the new one take over.
REINDEX INDEX CONCURRENTLY {index};

-- name: record_run
-- Note what came of a job's turn.
INSERT INTO tending AS t (job, every_s, last_run, last_success, duration_ms, failures, detail, work_left, work_per_s)
VALUES (%(job)s, %(every_s)s, %(at)s, CASE WHEN %(failures)s = 0 THEN %(at)s::timestamptz END, %(duration_ms)s,
        %(failures)s, %(detail)s, %(work_left)s, %(work_per_s)s)
    ON CONFLICT (job) DO UPDATE SET every_s = excluded.every_s, last_run = excluded.last_run,
       last_success = COALESCE(excluded.last_success, t.last_success), duration_ms = excluded.duration_ms,
       failures = excluded.failures, detail = excluded.detail,
       work_left = CASE WHEN excluded.failures = 0 THEN excluded.work_left ELSE t.work_left END,
       work_per_s = COALESCE(excluded.work_per_s, t.work_per_s);

-- name: failures
-- How often each job has failed in a row: what a new worker begins with.
SELECT job, failures FROM tending;

-- name: tending
-- What is known of every job.
SELECT job, every_s, last_run, last_success, duration_ms, failures, detail, work_left, work_per_s
  FROM tending ORDER BY job;

-- name: notice_missing
-- Note since when something of a kind is missing; forget what is missing no more. Holes may be as wide as a bigint, so
-- their sum is none.
WITH missing AS MATERIALIZED (
    SELECT outbox_id, gateway_id, kind, count
      FROM outbox_standing
     CROSS JOIN LATERAL (VALUES ('thinned', thinned), ('on_the_way', on_the_way), ('lost', lost),
                                ('unexplained', unexplained)) AS v (kind, count)
), forgotten AS (
    DELETE FROM outbox_noticed n USING missing m
     WHERE (m.outbox_id, m.gateway_id, m.kind) = (n.outbox_id, n.gateway_id, n.kind) AND m.count = 0
), noticed AS (
    INSERT INTO outbox_noticed (outbox_id, gateway_id, kind, since)
    SELECT outbox_id, gateway_id, kind, %(now)s FROM missing WHERE count > 0
        ON CONFLICT (outbox_id, gateway_id, kind) DO NOTHING
)
SELECT kind, sum(count::numeric) FROM missing GROUP BY kind;
