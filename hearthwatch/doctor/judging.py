"""Check of judging: no patient's readings wait because judging them fails."""

import psycopg

from vitals.finding import Finding, Words, broken, fine

CHECK = "judging"
_NAMED_MAX = 5
_UNJUDGED = "SELECT p.key, u.error FROM unjudged u LEFT JOIN care_patient p USING (patient_id) ORDER BY u.failed_at"


def judging(dsn: str) -> Finding:
    """Check that nobody is left unjudged."""
    with psycopg.connect(dsn) as db:
        rows = db.execute(_UNJUDGED).fetchall()
    if not rows:
        return fine(CHECK, en="nobody's readings wait to be judged again", zh="没有患者的数据等待重新判读")
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
