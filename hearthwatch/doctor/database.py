"""Checks of the database: reachable, migrated, which edition, the same time as here."""

from datetime import UTC, datetime

import psycopg

from hearthwatch.migration_files import MigrationError
from hearthwatch.migrations import status
from vitals.finding import Finding, Words, broken, fine, warning

CLOCK_DIFFERENCE_MAX_S = 5.0
_CONNECT_TIMEOUT_S = 5


def reachable(dsn: str) -> Finding:
    """Check that the database lets us in."""
    try:
        with psycopg.connect(dsn, connect_timeout=_CONNECT_TIMEOUT_S) as db:
            version = db.info.parameter_status("server_version")
    except psycopg.ProgrammingError:  # libpq's reason may show the password
        return broken(
            "database",
            en="HEARTHWATCH_DATABASE_DSN is no connection string",
            zh="HEARTHWATCH_DATABASE_DSN 不是有效的连接字符串",
            way_out=Words(
                en="write 'host=... dbname=...' or 'postgresql://...'",
                zh="请写成 'host=... dbname=...' 或 'postgresql://...'",
            ),
        )
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        return broken(
            "database",
            en=f"cannot be reached: {reason}",
            zh=f"无法连接：{reason}",
            way_out=Words(
                en="start PostgreSQL, or set HEARTHWATCH_DATABASE_DSN to where it runs; "
                "for development: ./run services up",
                zh="请启动 PostgreSQL，或设置 HEARTHWATCH_DATABASE_DSN；开发环境可用 ./run services up",
            ),
        )
    return fine("database", en=f"PostgreSQL {version} answers", zh=f"PostgreSQL {version} 可连接")


def migrated(dsn: str) -> Finding:
    """Check that every migration is applied, and none that we do not know."""
    try:
        now = status(dsn)
    except (MigrationError, psycopg.Error) as error:
        return broken(
            "migrations",
            en=f"do not fit this version of the program: {error}",
            zh=f"与本程序版本不符：{error}",
            way_out=Words(
                en="install the version of the program that the database was migrated with, or a newer one",
                zh="请安装与数据库迁移一致或更新的程序版本",
            ),
        )
    if now.pending:
        names = ", ".join(each.label for each in now.pending)
        return broken(
            "migrations",
            en=f"{len(now.pending)} are missing: {names}",
            zh=f"缺少 {len(now.pending)} 个迁移：{names}",
            way_out=Words(en="run: hearthwatch db migrate", zh="请运行：hearthwatch db migrate"),
        )
    return fine("migrations", en=f"all {len(now.applied)} are applied", zh=f"{len(now.applied)} 个迁移均已应用")


def edition(dsn: str) -> Finding:
    """Say what the database is and what that means."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_TIMEOUT_S) as db:
        installed = db.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
        licence = db.execute("SELECT current_setting('timescaledb.license', true)").fetchone()
        overlooked = db.execute(
            "SELECT 1 FROM pg_available_extensions"
            " WHERE name = 'timescaledb' AND to_regclass('schema_migration') IS NOT NULL"
        ).fetchone()
    if installed is not None and licence is not None:
        said = f"TimescaleDB {installed[0]}, {licence[0]} edition"
        return fine("edition", en=said, zh=said)
    if overlooked is None:
        return fine(
            "edition",
            en="plain PostgreSQL with daily partitions: right for a trial or a small site",
            zh="普通 PostgreSQL（按日分区）：适合试用或小型机构",
        )
    return warning(
        "edition",
        en="plain PostgreSQL, though the server offers TimescaleDB: the edition is decided at the first migration",
        zh="服务器提供 TimescaleDB，但本数据库按普通 PostgreSQL 建立：类型在首次迁移时确定",
        way_out=Words(
            en="for a county make a new database with the extension, migrate it, and copy the readings",
            zh="县级规模请新建带该扩展的数据库，完成迁移后复制数据",
        ),
    )


def same_time(dsn: str) -> Finding:
    """Check that the database's clock is ours: timers are set by one and read by the other."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_TIMEOUT_S) as db:
        row = db.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None, "SELECT without FROM gives a row"
    difference_s = (datetime.now(UTC) - row[0]).total_seconds()
    if abs(difference_s) <= CLOCK_DIFFERENCE_MAX_S:
        return fine("database clock", en="is ours", zh="与本机一致")
    return broken(
        "database clock",
        en=f"is {difference_s:+.0f} s from ours",
        zh=f"与本机相差 {difference_s:+.0f} 秒",
        way_out=Words(en="let both machines keep time by NTP", zh="请让两台机器都通过 NTP 校时"),
    )
