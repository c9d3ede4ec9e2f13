"""What a schedule queues, and that a queue which stands still does not fill up."""

import pytest

from core import jobs
from core.models import Job

NAME = "billing.sweeps.refunds_in_flight"


@pytest.mark.django_db
class TestEnqueueScheduled:
    def test_queues_one_job_in_the_queue_of_its_task(self) -> None:
        jobs.enqueue_scheduled(NAME)

        assert Job.objects.get(name=NAME).queue == "money"

    def test_queues_nothing_while_the_last_run_is_open(self) -> None:
        jobs.enqueue_scheduled(NAME)
        jobs.enqueue_scheduled(NAME)

        assert Job.objects.filter(name=NAME).count() == 1

    def test_queues_the_next_run_when_the_last_one_is_over(self) -> None:
        jobs.enqueue_scheduled(NAME)
        job = Job.objects.get(name=NAME)
        jobs.take(job_id=job.pk)
        jobs.finish(job=Job.objects.get(pk=job.pk))

        jobs.enqueue_scheduled(NAME)

        assert Job.objects.filter(name=NAME).count() == 2

    def test_always_queues_the_sweep_that_the_others_rely_on(self) -> None:
        jobs.enqueue_scheduled("core.jobs.sweep")
        jobs.enqueue_scheduled("core.jobs.sweep")

        assert Job.objects.filter(name="core.jobs.sweep").count() == 2
