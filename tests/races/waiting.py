"""Who waits for whom, by PostgreSQL's own word."""

from django.db import connection


def somebody_waits_for_us() -> bool:
    """Another session waits for a lock of this one's transaction. Of pg_locks: pg_stat_activity stays as a transaction first saw it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))")
        return bool(cursor.fetchone()[0])
