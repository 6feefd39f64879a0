"""Check of time-driven work: every job has gone well lately. Its absence is silent, and the disk fills."""

from datetime import datetime

from ingest.tend.status import JobStatus, standing
from vitals.finding import Finding, Words, broken, fine, warning

CHECK = "time-driven work"
_START = Words(
    en="run beside ingest: hearthwatch ingest tend",
    zh="请在 ingest 旁运行：hearthwatch ingest tend",
)


def tending(dsn: str, now: datetime) -> Finding:
    """Check when each job last went well; `now` is the machine's time."""
    found = standing(dsn)
    if not found.jobs:
        return warning(
            CHECK,
            en="has never run: nothing is rolled up, and nothing is ever let go of",
            zh="从未运行：没有汇总数据，过期数据也不会清理",
            way_out=_START,
        )
    failing = [job for job in found.jobs if job.failures]
    if failing:
        return broken(
            CHECK,
            en="fails: " + "; ".join(map(_said, failing)),
            zh="失败：" + "；".join(map(_said, failing)),
            way_out=Words(
                en="it is tried again by itself; the words are the database's: mend what they name",
                zh="系统会自动重试；请按数据库给出的原因处理",
            ),
        )
    late = [job for job in found.jobs if job.is_overdue(now)]
    if late:
        names = ", ".join(f"{job.job} ({job.last_success:%F %T})" for job in late)
        return broken(
            CHECK,
            en=f"has stopped; last gone well: {names}",
            zh=f"已停止；最近一次成功：{names}",
            way_out=_START,
        )
    return fine(
        CHECK,
        en=f"{len(found.jobs)} jobs went well; {found.behind_batches} batches are to be rolled up",
        zh=f"{len(found.jobs)} 项任务正常；待汇总批次 {found.behind_batches}",
    )


def _said(job: JobStatus) -> str:
    return f"{job.job} ({job.failures} times in a row): {job.detail}"
