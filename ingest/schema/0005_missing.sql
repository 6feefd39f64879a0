-- What is missing of each outbox: held against what its gateway itself says that it accepted (docs/missing.md).
-- hearthwatch: always

-- The newest word of a gateway on an outbox of its own (status, docs/wire-format.md). Its counters only grow.
CREATE TABLE outbox_word (
    outbox_id     uuid NOT NULL,
    gateway_id    text NOT NULL,
    accepted      bigint NOT NULL,      -- = stored (as the gateway knows) + thinned + depth
    thinned       bigint NOT NULL,
    depth         bigint NOT NULL,
    salvaged      bigint NOT NULL,
    thinned_rows  int8multirange NOT NULL,
    first_said_at timestamptz NOT NULL,
    said_at       timestamptz NOT NULL,
    PRIMARY KEY (outbox_id, gateway_id)
);

-- Since when something of a kind is missing without a break.
CREATE TABLE outbox_noticed (
    outbox_id  uuid NOT NULL,
    gateway_id text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('thinned', 'on_the_way', 'lost', 'unexplained')),
    since      timestamptz NOT NULL,
    PRIMARY KEY (outbox_id, gateway_id, kind)
);

CREATE INDEX rejected_of_outbox ON rejected (outbox_id, source) WHERE readings > 0 AND outbox_id IS NOT NULL;

-- How each outbox stands. accepted = taken + thinned + on_the_way + lost, as far as the gateway has told; what came since
-- it spoke counts as accepted too. Published to other rooms.
--   on_the_way   lies in the outbox that its gateway uses now
--   lost         the gateway was told that it is stored, and it is not here
--   unexplained  of an outbox that no gateway tells of (a phone's): holes between its first and its last row; of one that
--                its gateway uses no more: what lay in it and was not salvaged
-- A copy's rows are refused, and it is told nothing: nothing of it is missing.
CREATE VIEW outbox_standing AS
WITH known AS (
    SELECT outbox_id, COALESCE(a.gateway_id, w.gateway_id) AS gateway_id, a.taken AS taken_ranges, a.received_at, COALESCE(a.repeated, 0) AS repeated,
           (SELECT COALESCE(sum(upper(r) - lower(r)), 0)::bigint FROM unnest(a.taken) r) AS taken,
           COALESCE(upper(range_merge(a.taken)) - lower(range_merge(a.taken)), 0) AS reach,
           COALESCE(o.gateway_id <> COALESCE(a.gateway_id, w.gateway_id), false) AS is_copy,
           w.accepted, w.thinned, w.depth, w.thinned_rows, w.said_at, w.first_said_at, w.salvaged
      FROM outbox_account a FULL JOIN outbox_word w USING (outbox_id, gateway_id)
      LEFT JOIN outbox_owner o USING (outbox_id)
), counted AS (
    SELECT k.*, k.accepted IS NOT NULL AND NOT k.is_copy AS is_told,
           k.said_at = max(k.said_at) FILTER (WHERE NOT k.is_copy) OVER (PARTITION BY k.gateway_id) AS is_in_use,
           COALESCE(sum(k.salvaged) FILTER (WHERE NOT k.is_copy) OVER (PARTITION BY k.gateway_id
                        ORDER BY k.first_said_at ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING), 0) AS salvaged_later,
           GREATEST(k.accepted - k.taken - k.thinned, 0) AS outstanding
      FROM known k
)
SELECT gateway_id, outbox_id, is_copy, is_told, said_at, received_at, taken_ranges, taken, repeated, thinned_rows,
       CASE WHEN is_told THEN GREATEST(accepted, taken + thinned) ELSE taken END AS accepted,
       CASE WHEN is_told THEN thinned ELSE 0 END AS thinned,
       CASE WHEN is_told AND is_in_use THEN LEAST(depth, outstanding) ELSE 0 END AS on_the_way,
       CASE WHEN is_told THEN GREATEST(outstanding - depth, 0) ELSE 0 END AS lost,
       CASE WHEN is_copy THEN 0
            WHEN NOT is_told THEN reach - taken
            WHEN NOT is_in_use THEN GREATEST(LEAST(depth, outstanding) - salvaged_later, 0)
            ELSE 0 END::bigint AS unexplained,
       (SELECT COALESCE(sum(r.readings), 0)::bigint FROM rejected r
         WHERE r.outbox_id = c.outbox_id AND r.source = c.gateway_id AND r.readings > 0) AS rejected
  FROM counted c;
