-- Statements about `rejected` (docs/rejected.md): browse it, judge it again, lift out of it what can be taken now.

-- name: browse
-- What was not taken, newest first; what has been lifted wholly only if asked for.
SELECT rejected_id, received_at, source, reason, detail, device, measured_at, outbox_id, first_row, last_row,
       readings, octet_length(payload) AS payload_bytes, times, last_received_at, lifted, lifted_at, lifted_by
  FROM rejected
 WHERE {filters} AND (%(lifted)s OR readings > 0 OR lifted_at IS NULL)
 ORDER BY received_at DESC, rejected_id DESC LIMIT %(limit)s;

-- name: count
-- How much lies there by reason; `messages`: how many of the rows are whole messages that could not be read.
SELECT reason, count(*) AS rows, count(*) FILTER (WHERE readings = 0 AND lifted_at IS NULL) AS messages,
       sum(readings)::bigint AS readings, sum(times)::bigint AS times, sum(lifted)::bigint AS lifted,
       min(received_at) AS first_received_at, max(last_received_at) AS last_received_at
  FROM rejected
 WHERE {filters} AND (%(lifted)s OR readings > 0 OR lifted_at IS NULL)
 GROUP BY reason ORDER BY reason;

-- name: lying
-- The next rows that still lie there, in the order in which they came.
SELECT rejected_id, reason, readings
  FROM rejected
 WHERE {filters} AND rejected_id > %(after)s AND rejected_id <= %(up_to)s AND (readings > 0 OR lifted_at IS NULL)
 ORDER BY rejected_id LIMIT %(limit)s;

-- name: lying_count
-- How many of them, how many readings, and which is the last.
SELECT count(*) AS rows, COALESCE(sum(readings), 0)::bigint AS readings, COALESCE(max(rejected_id), 0) AS up_to
  FROM rejected
 WHERE {filters} AND (readings > 0 OR lifted_at IS NULL);

-- name: liftable
-- Rows that the registry's change may have given a place, in the order in which they came. Rows without a hope are not
-- touched: their device is still unknown, or nobody wore it then.
SELECT r.rejected_id, r.reason, r.readings
  FROM rejected r
 WHERE r.readings > 0 AND r.reason IN ('unknown_gateway', 'unknown_device', 'unbound_device', 'ambiguous')
   AND (r.judged_version IS NULL OR r.judged_version < %(version)s)
   AND r.source IN (SELECT gateway_id FROM care_gateway)
   AND CASE r.reason
       WHEN 'unknown_gateway' THEN true
       WHEN 'unknown_device' THEN r.device IN (SELECT device_key FROM care_device)
       ELSE EXISTS (SELECT FROM care_binding b
                     WHERE b.device_key = r.device
                       AND tstzrange(b.valid_from, b.valid_until)
                        && tstzrange(COALESCE(r.earliest_at, '-infinity'), r.latest_at, '[]')) END
 ORDER BY r.rejected_id LIMIT %(limit)s;

-- name: liftable_left
-- How many readings lie in such rows.
SELECT COALESCE(sum(r.readings), 0)::bigint
  FROM rejected r
 WHERE r.readings > 0 AND r.reason IN ('unknown_gateway', 'unknown_device', 'unbound_device', 'ambiguous')
   AND (r.judged_version IS NULL OR r.judged_version < %(version)s)
   AND r.source IN (SELECT gateway_id FROM care_gateway)
   AND CASE r.reason
       WHEN 'unknown_gateway' THEN true
       WHEN 'unknown_device' THEN r.device IN (SELECT device_key FROM care_device)
       ELSE EXISTS (SELECT FROM care_binding b
                     WHERE b.device_key = r.device
                       AND tstzrange(b.valid_from, b.valid_until)
                        && tstzrange(COALESCE(r.earliest_at, '-infinity'), r.latest_at, '[]')) END;

-- name: one_at_a_time
-- Let no other lift until the end of this transaction: so all is lifted in the order in which it came.
SELECT pg_advisory_xact_lock(2, 2);

-- name: take_up
-- Lock rows that still lie there, to be judged again.
SELECT rejected_id, received_at, source, reason, device, outbox_id, first_row, readings, payload, own_rows::text
  FROM rejected
 WHERE rejected_id = ANY (%(ids)s) AND (readings > 0 OR lifted_at IS NULL)
 ORDER BY rejected_id FOR UPDATE;

-- name: mark
-- Keep of each row what is still refused, and why; note what has left it.
UPDATE rejected r SET
    readings = t.readings, payload = t.payload, reason = COALESCE(t.reason, r.reason),
    detail = COALESCE(t.detail, r.detail), measured_at = COALESCE(t.measured_at, r.measured_at),
    earliest_at = COALESCE(t.earliest_at, r.earliest_at), latest_at = COALESCE(t.latest_at, r.latest_at),
    first_row = COALESCE(t.first_row, r.first_row), last_row = COALESCE(t.last_row, r.last_row),
    judged_version = %(version)s, lifted = r.lifted + t.lifted,
    lifted_at = CASE WHEN t.lifted > 0 OR t.readings = 0 THEN %(now)s ELSE r.lifted_at END,
    lifted_by = CASE WHEN t.lifted > 0 OR t.readings = 0 THEN %(by)s ELSE r.lifted_by END
  FROM unnest(%(ids)s::bigint[], %(readings)s::integer[], %(payloads)s::bytea[], %(reasons)s::text[],
              %(details)s::text[], %(measured)s::timestamptz[], %(earliest)s::timestamptz[], %(latest)s::timestamptz[],
              %(first_rows)s::bigint[], %(last_rows)s::bigint[], %(lifted)s::integer[])
    AS t (rejected_id, readings, payload, reason, detail, measured_at, earliest_at, latest_at, first_row, last_row,
          lifted)
 WHERE r.rejected_id = t.rejected_id;

-- name: note_judged
-- Note by which registry rows were judged that stay as they are.
UPDATE rejected SET judged_version = %(version)s WHERE rejected_id = ANY (%(ids)s);

-- name: note_error
-- Say why the database still refuses a row.
UPDATE rejected SET detail = %(detail)s, judged_version = %(version)s WHERE rejected_id = %(id)s;
