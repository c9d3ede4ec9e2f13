"""Tasks that do nothing, through the queue: what our Job row costs beside django-q2 alone."""

from django.db import transaction
from django_q.models import OrmQ
from django_q.tasks import async_task

from bench import noop
from bench.bed import Bed, execute
from bench.measure import Result, Round, by_turns, clock, rate_result
from bench.processes import until
from core import jobs
from core.models import Job

TASKS = 400


def measure(bed: Bed) -> list[Result]:
    """Queued first, then worked off by one cluster with one worker, as the product runs it."""
    execute("DELETE FROM core_job")  # what other rows left in the queue
    with bed.worker("default") as worker:
        jobs.enqueue(noop.nothing)
        until(_is_empty)  # warm

        def worked_off() -> Round:
            with clock(bed, worker) as took:
                until(_is_empty)
            return Round(TASKS, took.seconds, took.cpu)

        def limit(number: int) -> Round:
            with transaction.atomic():
                for _ in range(TASKS):
                    async_task("bench.noop.bare", cluster="default", save=False)
            return worked_off()

        def product(number: int) -> Round:
            with transaction.atomic():
                for _ in range(TASKS):
                    jobs.enqueue(noop.nothing)
            found = worked_off()
            if Job.objects.exclude(state="done").exists():
                raise AssertionError("a job was not done")
            return found

        bare, ours = by_turns(limit, product)
    execute("DELETE FROM core_job")
    reach = "≥ 200/s"
    return [
        rate_result(
            "no-op task through the queue; limit: django-q2 without the Job row", limit=bare, product=ours, queries="–", reach=reach
        )
    ]


def _is_empty() -> bool:
    return not OrmQ.objects.exists() and not Job.objects.filter(state__in=["queued", "running"]).exists()
