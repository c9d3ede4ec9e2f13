"""What machines ask: does this process live, may it get traffic, and how does the work stand."""

from collections.abc import Callable, Iterator
from datetime import datetime

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from billing.models import InboundEvent, Refund
from core import jobs
from core.models import Job
from ledger.models import InvariantRun

_WAITING = [Job.State.QUEUED, Job.State.RUNNING]


class _NotReady(Exception):
    """Why, in one sentence for the one who reads the log."""


def healthz(_request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all; asks nobody else."""
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> HttpResponse:
    """200 where every check passes, else 503; the body names each check with "ok" or what is wrong."""
    found = {name: _outcome(check) for name, check in CHECKS.items()}
    ready = all(outcome == "ok" for outcome in found.values())
    return JsonResponse({"status": "ready" if ready else "not ready", "checks": found}, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text. In production only for the bearer of METRICS_TOKEN; for anybody else the page does not exist."""
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "")
    if (token or settings.IS_PRODUCTION) and not (token and constant_time_compare(given, f"Bearer {token}")):
        return HttpResponse(status=404)
    registry = CollectorRegistry()
    registry.register(_Work())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except _NotReady as reason:
        return str(reason)
    except DatabaseError as error:
        return f"the database does not answer: {type(error).__name__}"
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


_migrated = False


def _migrations() -> None:
    """Read once: what has been applied stays applied for the life of a process."""
    global _migrated
    if _migrated:
        return
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        raise _NotReady(f"{len(waiting)} migrations are not applied; run manage.py migrate")
    _migrated = True


def _shared_cache() -> None:
    cache.get("readyz")


def _queues() -> None:
    late = [f"{queue} is {lag:.0f} s behind" for queue, lag in lags(timezone.now()).items() if lag > settings.READY_QUEUE_LAG]
    if late:
        raise _NotReady("; ".join(late) + "; are its workers running?")


CHECKS: dict[str, Callable[[], None]] = {"database": _database, "migrations": _migrations, "cache": _shared_cache, "queues": _queues}


def lags(now: datetime) -> dict[str, float]:
    """Seconds since the oldest queued job of each queue was due; 0 where nothing is due."""
    due = Job.objects.filter(state=Job.State.QUEUED, run_after__lte=now)
    oldest = dict(due.order_by().values_list("queue").annotate(oldest=Min("run_after")))
    return {queue: (now - oldest[queue]).total_seconds() if queue in oldest else 0.0 for queue in jobs.QUEUES}


class _Work(Collector):
    """The state of the work, counted at the moment it is asked for."""

    def collect(self) -> Iterator[Metric]:
        yield from self._jobs()
        dead = InboundEvent.objects.filter(state=InboundEvent.State.DEAD).count()
        yield GaugeMetricFamily("cpd_inbound_events_dead", "Webhook events given up on, waiting for a person.", value=dead)
        refunds = GaugeMetricFamily("cpd_refunds", "Refunds by state.", labels=["state"])
        counted = dict(Refund.objects.order_by().values_list("state").annotate(n=Count("pk")))
        for state in Refund.State.values:
            refunds.add_metric([state], counted.get(state, 0))
        yield refunds
        last = InvariantRun.objects.order_by("-id").first()
        if last is not None:
            yield GaugeMetricFamily("cpd_invariants_broken", "Rules that the last nightly check found broken.", value=len(last.violations))
            yield GaugeMetricFamily("cpd_invariants_checked_timestamp_seconds", "When that was.", value=last.ran_at.timestamp())

    def _jobs(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("cpd_queue_jobs", "Jobs queued or running.", labels=["queue"])
        age = GaugeMetricFamily("cpd_queue_oldest_seconds", "How long the oldest due job has waited.", labels=["queue"])
        dead = GaugeMetricFamily("cpd_jobs_dead", "Jobs given up on, waiting for a person.", labels=["queue"])
        work = Job.objects.order_by()
        waiting = dict(work.filter(state__in=_WAITING).values_list("queue").annotate(n=Count("pk")))
        buried = dict(work.filter(state=Job.State.DEAD).values_list("queue").annotate(n=Count("pk")))
        for queue, lag in lags(timezone.now()).items():
            depth.add_metric([queue], waiting.get(queue, 0))
            age.add_metric([queue], lag)
            dead.add_metric([queue], buried.get(queue, 0))
        yield from (depth, age, dead)
