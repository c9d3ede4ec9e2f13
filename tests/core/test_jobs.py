"""The queue's own row: work commits with its cause, attempts are counted before the body, and what fails comes back or is buried."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django_fsm import TransitionNotAllowed
from django_q.exceptions import TimeoutException
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from core import jobs
from core.errors import NotFound
from core.models import Job

Drain = Callable[..., int]


class Recorder:
    """What the tasks below were given, and how they are to end."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.raises: list[BaseException] = []
        self.in_transaction: list[bool] = []

    def __call__(self, **ids: Any) -> None:
        self.calls.append(ids)
        blocks = connection.atomic_blocks  # type: ignore[attr-defined]
        self.in_transaction.append(any(not getattr(block, "_from_testcase", False) for block in blocks))
        if self.raises:
            raise self.raises.pop(0)


seen = Recorder()


def inside(*, thing_id: UUID, number: int = 0, text: str = "", nothing: str | None = None) -> None:
    Job.objects.create(name="tests.effect")
    seen(thing_id=thing_id, number=number, text=text, nothing=nothing)


def outside(*, thing_id: UUID) -> None:
    Job.objects.create(name="tests.effect")
    seen(thing_id=thing_id)


def unknown_annotation(*, thing_id: UUID) -> None: ...


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_tasks", dict(jobs.registered()))
    jobs.task(max_attempts=3)(inside)
    jobs.task(queue="money", outside=True, max_attempts=3)(outside)
    seen.__init__()  # type: ignore[misc]


def again(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def effects() -> int:
    return Job.objects.filter(name="tests.effect").count()


@pytest.mark.django_db
class TestEnqueue:
    @pytest.mark.rule("S1")
    def test_writes_the_row_and_one_signed_message_and_does_nothing_yet(self) -> None:
        job = jobs.enqueue(outside, thing_id=uuid4())

        message = OrmQ.objects.get()
        assert (again(job).state, again(job).attempts, message.key) == (Job.State.QUEUED, 0, "money")
        assert SignedPackage.loads(message.payload)["args"] == (str(job.pk),)
        assert seen.calls == []

    @pytest.mark.rule("C9")
    def test_carries_ids_that_survive_json(self, run_jobs: Drain) -> None:
        thing = uuid4()
        jobs.enqueue(inside, thing_id=thing, number=7, text="é", nothing=None)
        run_jobs()

        assert seen.calls == [{"thing_id": thing, "number": 7, "text": "é", "nothing": None}]

    @pytest.mark.rule("C9")
    def test_refuses_an_object(self) -> None:
        with pytest.raises(TypeError, match="id of an object"), transaction.atomic():
            jobs.enqueue(inside, thing_id=Job(name="x"))  # type: ignore[arg-type]
        assert not Job.objects.exists()

    def test_refuses_a_function_that_is_no_task(self) -> None:
        with pytest.raises(KeyError):
            jobs.enqueue(unknown_annotation, thing_id=uuid4())

    def test_refuses_an_unknown_queue(self) -> None:
        with pytest.raises(ValueError, match="no queue"):
            jobs.task(queue="fast")

    def test_delays(self, run_jobs: Drain) -> None:
        jobs.enqueue(inside, thing_id=uuid4(), run_after=timezone.now() + timedelta(hours=1))

        assert run_jobs() == 0
        assert run_jobs(delayed=True) == 1

    def test_remembers_the_request(self) -> None:
        with structlog.contextvars.bound_contextvars(request_id="req_1"):
            assert jobs.enqueue(inside, thing_id=uuid4()).request_id == "req_1"

    def test_makes_a_scheduled_run_a_job_like_any_other(self, run_jobs: Drain) -> None:
        jobs.enqueue_scheduled("core.jobs.sweep")
        assert Job.objects.get().name == "core.jobs.sweep"


@pytest.mark.django_db(transaction=True)
class TestEnqueueInATransaction:
    def test_exists_only_once_the_transaction_commits(self) -> None:
        with transaction.atomic():
            job = jobs.enqueue(inside, thing_id=uuid4())
            assert OrmQ.objects.count() == 1
        assert (Job.objects.get().pk, OrmQ.objects.count()) == (job.pk, 1)

    def test_vanishes_with_a_rollback(self) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            jobs.enqueue(inside, thing_id=uuid4())
            raise RuntimeError
        assert not Job.objects.exists()
        assert not OrmQ.objects.exists()

    def test_leaves_the_attempt_behind_when_the_worker_dies(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        seen.raises = [KeyboardInterrupt()]  # nothing catches it: as dead as a kill
        with pytest.raises(KeyboardInterrupt):
            jobs.run(str(job.pk))

        assert (again(job).state, again(job).attempts, effects()) == (Job.State.RUNNING, 1, 0)


@pytest.mark.django_db
class TestRun:
    def test_commits_the_body_with_its_done(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())

        assert jobs.run(str(job.pk)) == "done"
        assert (again(job).state, again(job).attempts, effects()) == (Job.State.DONE, 1, 1)
        assert again(job).finished_at is not None
        assert seen.in_transaction == [True]

    @pytest.mark.rule("M10")
    def test_opens_no_transaction_around_a_task_that_calls_outside(self) -> None:
        job = jobs.enqueue(outside, thing_id=uuid4())

        assert jobs.run(str(job.pk)) == "done"
        assert seen.in_transaction == [False]
        assert again(job).state == Job.State.DONE

    def test_takes_back_what_a_failed_body_wrote(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        seen.raises = [ValueError("no")]

        assert jobs.run(str(job.pk)) == "failed"
        assert (again(job).state, effects()) == (Job.State.QUEUED, 0)
        assert "ValueError: no" in again(job).error

    def test_keeps_what_a_failed_outside_task_committed(self) -> None:
        job = jobs.enqueue(outside, thing_id=uuid4())
        seen.raises = [jobs.RetryLater("busy")]

        assert jobs.run(str(job.pk)) == "failed"
        assert effects() == 1

    def test_does_nothing_for_a_message_that_comes_twice(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        jobs.run(str(job.pk))

        assert jobs.run(str(job.pk)) == "nothing to do"
        assert (len(seen.calls), effects()) == (1, 1)

    def test_does_nothing_for_a_job_that_is_gone(self) -> None:
        assert jobs.run(str(uuid4())) == "nothing to do"

    def test_leaves_a_job_alone_that_another_worker_holds(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        assert jobs.take(job_id=job.pk) is not None

        assert jobs.run(str(job.pk)) == "nothing to do"
        assert again(job).attempts == 1

    def test_takes_a_job_over_once_the_lease_is_out(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        jobs.take(job_id=job.pk)

        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            assert jobs.run(str(job.pk)) == "done"
        assert again(job).attempts == 2

    def test_lets_a_late_worker_change_nothing(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        slow = jobs.take(job_id=job.pk)
        assert slow is not None
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            jobs.take(job_id=job.pk)

        jobs.put_back(job=slow, error="late")
        with transaction.atomic():
            jobs.finish(job=slow)
        assert (again(job).state, again(job).attempts, again(job).error) == (Job.State.RUNNING, 2, "")

    @pytest.mark.parametrize("error", [ValueError("no"), jobs.RetryLater("busy"), TimeoutException("over")])
    def test_survives_whatever_a_task_raises(self, error: BaseException) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        seen.raises = [error]
        assert jobs.run(str(job.pk)) == "failed"

    def test_fails_where_the_task_is_no_longer_known(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        del jobs._tasks[jobs.name_of(inside)]
        assert jobs.run(str(job.pk)) == "failed"
        assert again(job).state == Job.State.QUEUED


@pytest.mark.django_db
@pytest.mark.rule("C9")
class TestBackOff:
    def test_doubles_up_to_an_hour(self) -> None:
        assert [jobs.backoff(attempt).total_seconds() for attempt in (1, 2, 3, 4, 12, 30)] == [2, 4, 8, 16, 3600, 3600]

    def test_waits_and_comes_back_by_itself(self, run_jobs: Drain) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        seen.raises = [ValueError("once")]

        assert run_jobs() == 1  # the second message lies in the future
        assert again(job).run_after > timezone.now()
        assert run_jobs(delayed=True) == 1
        assert (again(job).state, again(job).attempts, again(job).error) == (Job.State.DONE, 2, "")

    def test_buries_a_job_after_its_last_attempt(self, run_jobs: Drain) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        seen.raises = [ValueError(str(number)) for number in range(9)]

        assert run_jobs(delayed=True) == 3
        assert (again(job).state, again(job).attempts, len(seen.calls)) == (Job.State.DEAD, 3, 3)
        assert "ValueError: 2" in again(job).error

    def test_buries_a_job_that_kills_every_worker(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        for hours in (0, 1, 2):
            with time_machine.travel(timezone.now() + timedelta(hours=hours)):
                jobs.take(job_id=job.pk)

        with time_machine.travel(timezone.now() + timedelta(hours=3)):
            assert jobs.run(str(job.pk)) == "nothing to do"
        assert (again(job).state, again(job).error) == (Job.State.DEAD, "The worker died in every attempt.")

    def test_is_bounded_by_the_database_too(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        with pytest.raises(IntegrityError, match="job_attempts_bounded"), transaction.atomic():
            Job.objects.filter(pk=job.pk).update(attempts=4)


@pytest.mark.django_db
class TestRetry:
    def test_queues_a_dead_job_again(self, run_jobs: Drain) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        seen.raises = [ValueError("no")] * 3
        run_jobs(delayed=True)

        jobs.retry(job_id=job.pk)
        assert (again(job).state, again(job).max_attempts) == (Job.State.QUEUED, 3 + 8)
        run_jobs()
        assert again(job).state == Job.State.DONE

    def test_refuses_a_job_that_is_not_dead(self) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        with pytest.raises(TransitionNotAllowed):
            jobs.retry(job_id=job.pk)
        assert OrmQ.objects.count() == 1

    def test_refuses_an_unknown_job(self) -> None:
        with pytest.raises(NotFound):
            jobs.retry(job_id=uuid4())


@pytest.mark.django_db
class TestSweep:
    def test_sends_a_lost_message_again_once(self, run_jobs: Drain) -> None:
        job = jobs.enqueue(inside, thing_id=uuid4())
        OrmQ.objects.all().delete()
        assert run_jobs() == 0

        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            jobs.sweep()
            jobs.sweep()
            assert OrmQ.objects.count() == 1
            run_jobs()
        assert again(job).state == Job.State.DONE

    def test_leaves_young_and_finished_jobs_alone(self) -> None:
        young = jobs.enqueue(inside, thing_id=uuid4())
        done = jobs.enqueue(inside, thing_id=uuid4())
        jobs.run(str(done.pk))
        OrmQ.objects.all().delete()

        jobs.sweep()
        assert not OrmQ.objects.exists()
        assert again(young).state == Job.State.QUEUED


@pytest.mark.django_db
class TestPurge:
    def test_removes_what_is_done_and_old_only(self) -> None:
        clocked, asked, dead, waiting = jobs.enqueue(jobs.sweep), *(jobs.enqueue(inside, thing_id=uuid4()) for _ in range(3))
        for done in (clocked, asked):
            jobs.run(str(done.pk))
        jobs.bury(job=again(dead), error="gave up")

        def left_after(days: int) -> set[UUID]:
            with time_machine.travel(timezone.now() + timedelta(days=days)):
                jobs.purge()
            return set(Job.objects.exclude(name="tests.effect").values_list("pk", flat=True))

        assert left_after(1) == {clocked.pk, asked.pk, dead.pk, waiting.pk}
        assert left_after(3) == {asked.pk, dead.pk, waiting.pk}
        assert left_after(91) == {dead.pk, waiting.pk}
