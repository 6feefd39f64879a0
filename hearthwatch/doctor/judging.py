"""Check of judging: no patient's readings wait because judging them fails, or because nobody judges."""

from datetime import datetime, timedelta

import psycopg

from ingest.feed import PARTITION_COUNT
from vitals.finding import Finding, Words, broken, fine

CHECK = "judging"
_NAMED_MAX = 5
_UNJUDGED = "SELECT p.key, u.error FROM unjudged u LEFT JOIN care_patient p USING (patient_id) ORDER BY u.failed_at"
_BEHIND = """
SELECT count(*), min(waiting.said_at)
  FROM engine_cursor c
 CROSS JOIN LATERAL (SELECT COALESCE(l.said_at, l.received_at) AS said_at FROM intake_log l
                      WHERE l.partition = c.partition AND l.batch_id > c.batch_id ORDER BY l.batch_id LIMIT 1) waiting
 WHERE waiting.said_at < %s
"""
BEHIND_S = 60
"""Clinical seconds: judging takes up what is stored within one."""


def judging(dsn: str, now: datetime) -> Finding:
    """Check that nobody is left unjudged; `now` is clinical time."""
    with psycopg.connect(dsn) as db:
        rows = db.execute(_UNJUDGED).fetchall()
        behind = db.execute(_BEHIND, [now - timedelta(seconds=BEHIND_S)]).fetchone()
    if behind and behind[0]:
        return broken(
            CHECK,
            en=f"{behind[0]} of {PARTITION_COUNT} parts of the patients wait since {behind[1]:%Y-%m-%d %H:%M:%S}",
            zh=f"{PARTITION_COUNT} 组患者中有 {behind[0]} 组的数据自 {behind[1]:%Y-%m-%d %H:%M:%S} 起未被判读",
            way_out=Words(
                en="see that `hearthwatch alerting run` runs, and read its log (skipped, duty_failed,"
                " database_unreachable): nobody watches these patients meanwhile",
                zh="请确认 hearthwatch alerting run 正在运行，并查看其日志（skipped、duty_failed、"
                "database_unreachable）；在此期间无人监测这些患者",
            ),
        )
    if not rows:
        return fine(CHECK, en="nobody's readings wait to be judged", zh="没有患者的数据等待判读")
    named = "; ".join(f"{key or '?'}: {error}" for key, error in rows[:_NAMED_MAX])
    return broken(
        CHECK,
        en=f"fails for {len(rows)} patients, whom nobody watches meanwhile: {named}",
        zh=f"{len(rows)} 名患者的数据无法判读，目前无人监测：{named}",
        way_out=Words(
            en="they are tried again by themselves; alerting's log has the whole error (patient_unjudged): mend what it"
            " names, and look after these patients until then",
            zh="系统会自动重试；完整错误见 alerting 日志（patient_unjudged），请据此处理，并在此之前人工看护这些患者",
        ),
    )
