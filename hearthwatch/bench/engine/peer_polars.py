"""The sustained rules as window expressions in Polars."""

import os
from collections.abc import Sequence

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # read when it is imported

import polars as pl

from hearthwatch.bench.engine.traffic import Samples
from hearthwatch.bench.engine.windows import BUILDS, CLEARS, DISCARDS, MET, Said, events
from vitals.sustained import BUCKET_MS, SustainedRule

VERSION = pl.__version__


class Peer:
    """A frame that holds the samples."""

    def __init__(self, rules: Sequence[SustainedRule], _patients: int) -> None:
        self.rules = rules
        self._samples = pl.DataFrame()

    def prepare(self, samples: Samples) -> None:
        """Read the samples into a frame."""
        columns = {"row": samples.rows, "t": samples.t_ms, "value": samples.values.astype("int64")}
        self._samples = pl.DataFrame(columns)

    def judge(self) -> Said:
        """Judge all samples."""
        ordered = self._samples.sort("row", "t").lazy()
        said: Said = []
        for rule in self.rules:
            said += events(rule, _turns(rule, ordered).collect().iter_rows())
        return said


def _turns(rule: SustainedRule, ordered: pl.LazyFrame) -> pl.LazyFrame:
    """Plan the query for the samples at which a rule's conditions change."""
    value, ten = pl.col("value"), pl.col("ten")
    after_gap = ten - ten.shift().over("row") - 1 > rule.clear_gap_buckets
    seen = ordered.with_columns(
        bucket=pl.col("t") // rule.grain.bucket_ms,
        ten=pl.col("t") // BUCKET_MS,
        broken=value < rule.limit.breach if rule.low else value > rule.limit.breach,
        well=value >= rule.limit.clear_at if rule.low else value <= rule.limit.clear_at,
    ).with_columns(
        n=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("row", "bucket"),
        low=pl.col("broken").cast(pl.Int64).cum_sum().over("row", "bucket"),
        ill_ten=pl.when(~pl.col("well") | after_gap.fill_null(False)).then(ten).forward_fill().over("row"),
    )
    conditions = _conditions(rule)
    first_low = pl.min_horizontal("first_low", pl.when(pl.col("low") > 0).then("bucket"))
    since = pl.when(pl.col("below") > 0).then(pl.min_horizontal("t", first_low * rule.grain.bucket_ms)).otherwise("t")
    return (
        seen.join(_past(rule, seen), on=["row", "bucket"], how="left", maintain_order="left")
        .with_columns(valid=pl.col("valid") + pl.col("n"), below=pl.col("below") + pl.col("low"))
        .with_columns(conditions=conditions)
        .filter(pl.col("conditions") > 0)
        .filter(pl.col("conditions").ne_missing(pl.col("conditions").shift().over("row")))
        .select("row", "t", "value", "conditions", since.alias("since"), "valid", "below", "buckets")
    )


def _past(rule: SustainedRule, seen: pl.LazyFrame) -> pl.LazyFrame:
    """Plan what the window and the building time held before each bucket, and since when data flows."""
    bucket = pl.col("bucket")
    counted = seen.group_by("row", "bucket", maintain_order=True).agg(
        n=pl.len().cast(pl.Int64), low=pl.col("broken").sum()
    )
    counted = counted.with_columns(
        pl.col("low").cast(pl.Int64),
        begin=pl.when((bucket - bucket.shift() < rule.grain.slots).fill_null(False).not_())
        .then(bucket)
        .forward_fill()
        .over("row"),
    )
    whole = _within(counted, rule.window_buckets).agg(
        valid=pl.col("n").sum(),
        below=pl.col("low").sum(),
        buckets=pl.len().cast(pl.Int64),
        first_low=bucket.filter(pl.col("low") > 0).min(),
    )
    recent = _within(counted, max(rule.building_buckets - 1, 0)).agg(
        recent=pl.col("n").sum(), recent_low=pl.col("low").sum(), recent_buckets=pl.len().cast(pl.Int64)
    )
    own_n, own_low = pl.col("own_n"), pl.col("own_low")
    return (
        counted.select("row", "bucket", "begin", own_n="n", own_low="low")
        .join(whole, on=["row", "bucket"])
        .join(recent, on=["row", "bucket"])
        .with_columns(
            pl.col("valid") - own_n,
            pl.col("below") - own_low,
            pl.col("recent") - own_n,
            pl.col("recent_low") - own_low,
            age=bucket - pl.col("begin"),
        )
        .drop("own_n", "own_low", "begin")
    )


def _within(counted: pl.LazyFrame, back: int) -> pl.lazyframe.group_by.LazyGroupBy:
    return counted.rolling("bucket", period=f"{back + 1}i", group_by="row", closed="right")


def _conditions(rule: SustainedRule) -> pl.Expr:
    broken, n, low = pl.col("broken"), pl.col("n"), pl.col("low")
    is_low = (pl.col("recent_low") + low) * 100 >= rule.share_percent * (pl.col("recent") + n)
    met = (
        broken
        & (pl.col("age") > rule.window_buckets)
        & (pl.col("buckets") * 100 >= rule.coverage_percent * rule.window_buckets)
        & (pl.col("below") * 100 >= rule.share_percent * pl.col("valid"))
    )
    clears = (pl.col("well") & (pl.col("ten") - pl.col("ill_ten") > rule.clear_buckets)).fill_null(False)
    conditions = met.cast(pl.Int64) * MET + clears.cast(pl.Int64) * CLEARS
    if rule.building_buckets:
        builds = broken & is_low & (pl.col("recent_buckets") == rule.building_buckets)
        conditions += builds.cast(pl.Int64) * BUILDS + (~broken & ~is_low).cast(pl.Int64) * DISCARDS
    return conditions
