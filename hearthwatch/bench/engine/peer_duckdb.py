"""The sustained rules as SQL windows in DuckDB."""

from collections.abc import Sequence

import duckdb

from hearthwatch.bench.engine.traffic import Samples
from hearthwatch.bench.engine.windows import BUILDS, CLEARS, DISCARDS, MET, Said, events
from vitals.sustained import BUCKET_MS, SustainedRule

VERSION = duckdb.__version__


class Peer:
    """A database in memory that holds the samples."""

    def __init__(self, rules: Sequence[SustainedRule], _patients: int) -> None:
        self.rules = rules
        self._database = duckdb.connect(config={"threads": 1})

    def prepare(self, samples: Samples) -> None:
        """Read the samples into a table."""
        columns = {"row": samples.rows, "t": samples.t_ms, "value": samples.values}
        self._database.register("columns", columns)
        self._database.execute('CREATE TABLE sample AS SELECT * FROM "columns"')

    def judge(self) -> Said:
        """Judge all samples."""
        said: Said = []
        for rule in self.rules:
            said += events(rule, self._database.execute(query(rule)).fetchall())
        return said


def query(rule: SustainedRule) -> str:
    """Write the query for the samples at which a rule's conditions change."""
    broken, well = ("<", ">=") if rule.low else (">", "<=")
    return _QUERY.format(
        ms=rule.grain.bucket_ms,
        slots=rule.grain.slots,
        ten_ms=BUCKET_MS,
        broken=f"value {broken} {rule.limit.breach}",
        well=f"value {well} {rule.limit.clear_at}",
        window=rule.window_buckets,
        recent=max(rule.building_buckets - 1, 0),
        building=rule.building_buckets,
        share=rule.share_percent,
        coverage=rule.coverage_percent,
        clear=rule.clear_buckets,
        gap=rule.clear_gap_buckets,
        met=MET,
        builds=BUILDS if rule.building_buckets else 0,
        discards=DISCARDS if rule.building_buckets else 0,
        clears=CLEARS,
    )


_QUERY = """
WITH seen AS (
    SELECT row, t, value, t // {ms} AS bucket, t // {ten_ms} AS ten, {broken} AS broken, {well} AS well,
        ten - lag(ten) OVER (PARTITION BY row ORDER BY t) - 1 > {gap} AS after_gap
    FROM sample
),
counted AS (
    SELECT row, t, value, bucket, ten, broken, well,
        row_number() OVER here AS n, count_if(broken) OVER here AS low,
        max(CASE WHEN NOT well OR after_gap THEN ten END) OVER (PARTITION BY row ORDER BY t) AS ill_ten
    FROM seen
    WINDOW here AS (PARTITION BY row, bucket ORDER BY t ROWS UNBOUNDED PRECEDING)
),
bucket AS (
    SELECT row, bucket, count(*) AS n, count_if(broken) AS low,
        bucket - lag(bucket) OVER (PARTITION BY row ORDER BY bucket) AS passed
    FROM seen GROUP BY row, bucket
),
begun AS (
    SELECT row, bucket, n, low,
        max(CASE WHEN passed IS NULL OR passed >= {slots} THEN bucket END)
            OVER (PARTITION BY row ORDER BY bucket) AS begin
    FROM bucket
),
past AS (
    SELECT row, bucket, bucket - begin AS age,
        sum(n) OVER whole - n AS valid, sum(low) OVER whole - low AS below, count(*) OVER whole AS buckets,
        min(CASE WHEN low > 0 THEN bucket END) OVER whole AS first_low,
        sum(n) OVER recent - n AS recent, sum(low) OVER recent - low AS recent_low,
        count(*) OVER recent AS recent_buckets
    FROM begun
    WINDOW whole AS (PARTITION BY row ORDER BY bucket RANGE BETWEEN {window} PRECEDING AND CURRENT ROW),
        recent AS (PARTITION BY row ORDER BY bucket RANGE BETWEEN {recent} PRECEDING AND CURRENT ROW)
),
judged AS (
    SELECT row, t, value, first_low, valid + n AS valid, below + low AS below, buckets, bucket, low,
        (recent_low + low) * 100 >= {share} * (recent + n) AS is_low,
        (broken AND age > {window} AND buckets * 100 >= {coverage} * {window}
            AND (below + low) * 100 >= {share} * (valid + n))::INT * {met}
        + (broken AND is_low AND recent_buckets = {building})::INT * {builds}
        + (NOT broken AND NOT is_low)::INT * {discards}
        + coalesce(well AND ten - ill_ten > {clear}, false)::INT * {clears} AS conditions
    FROM counted JOIN past USING (row, bucket)
)
SELECT row, t, value, conditions,
    coalesce(least(t, CASE WHEN below > 0 THEN least(first_low, CASE WHEN low > 0 THEN bucket END) * {ms} END), t),
    valid, below, buckets
FROM judged WHERE conditions > 0
QUALIFY conditions IS DISTINCT FROM lag(conditions) OVER (PARTITION BY row ORDER BY t)
ORDER BY row, t
"""
