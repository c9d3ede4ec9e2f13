"""Who waits for whom, by PostgreSQL's own word."""

from django.db import connection


def somebody_waits_for_us() -> bool:
    """Another session waits for a lock of this one's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)))")
        return bool(cursor.fetchone()[0])
