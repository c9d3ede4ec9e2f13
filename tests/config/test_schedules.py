import ast
from dataclasses import replace

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler

from config import schedules
from core import jobs
from core.models import Job


@pytest.mark.django_db
class TestSync:
    def test_gives_every_entry_its_row(self) -> None:
        done = schedules.sync()

        assert done == {"added": len(schedules.SCHEDULES), "changed": 0, "removed": 0}
        rows = {row.name: row for row in Schedule.objects.all()}
        assert rows.keys() == {entry.name for entry in schedules.SCHEDULES}
        for entry in schedules.SCHEDULES:
            row = rows[entry.name]
            assert (row.func, ast.literal_eval(row.args), row.cron) == ("core.jobs.enqueue_scheduled", (entry.task,), entry.cron)
            assert row.cluster == jobs.registered()[entry.task].queue
            assert row.next_run is not None
            assert row.next_run > timezone.now()

    def test_changes_nothing_the_second_time(self) -> None:
        schedules.sync()
        before = list(Schedule.objects.order_by("pk").values())

        assert schedules.sync() == {"added": 0, "changed": 0, "removed": 0}
        assert list(Schedule.objects.order_by("pk").values()) == before

    def test_removes_what_left_the_table_and_what_stands_twice(self) -> None:
        schedules.sync()
        Schedule.objects.create(name="forgotten", func="core.jobs.enqueue_scheduled")
        Schedule.objects.create(name=schedules.SCHEDULES[0].name, func="core.jobs.enqueue_scheduled")

        assert schedules.sync(schedules.SCHEDULES[1:])["removed"] == 3
        assert Schedule.objects.count() == len(schedules.SCHEDULES) - 1

    def test_moves_a_changed_entry_to_its_new_time(self) -> None:
        schedules.sync()
        later = replace(schedules.SCHEDULES[0], cron="0 0 1 1 *")

        assert schedules.sync((later, *schedules.SCHEDULES[1:])) == {"added": 0, "changed": 1, "removed": 0}
        row = Schedule.objects.get(name=later.name)
        assert row.next_run is not None
        assert (row.next_run.month, row.next_run.day) == (1, 1)

    @pytest.mark.parametrize("wrong", [{"task": "core.jobs.nothing"}, {"cron": "every day"}])
    def test_refuses_a_table_that_could_not_run_and_keeps_the_old_one(self, wrong: dict[str, str]) -> None:
        schedules.sync()

        with pytest.raises(ValueError, match="schedule jobs-sweep"):
            schedules.sync((replace(schedules.SCHEDULES[0], **wrong),))
        assert Schedule.objects.count() == len(schedules.SCHEDULES)

    def test_is_a_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("sync_schedules")

        assert capsys.readouterr().out == f"{len(schedules.SCHEDULES)} added, 0 changed, 0 removed\n"


@pytest.mark.django_db
class TestTicking:
    @pytest.fixture(autouse=True)
    def _keeps_the_tests_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("django_q.scheduler.close_old_django_connections", lambda: None)

    def test_makes_one_job_of_the_task_in_its_own_queue(self, run_jobs) -> None:
        sweep = next(entry for entry in schedules.SCHEDULES if entry.task == "core.jobs.sweep")
        schedules.sync((sweep,))
        Schedule.objects.update(next_run=timezone.now())

        scheduler()
        scheduler()

        assert OrmQ.objects.count() == 1  # the second look found nothing due: a missed tick is not caught up
        run_jobs()
        job = Job.objects.get(name="core.jobs.sweep")
        assert (job.queue, job.state) == ("default", Job.State.DONE)

    def test_leaves_another_queue_its_clock(self) -> None:
        money = next(entry for entry in schedules.SCHEDULES if entry.task == "billing.sweeps.refunds_in_flight")
        schedules.sync((money,))
        Schedule.objects.update(next_run=timezone.now())

        scheduler()  # this process is of the queue "default"

        assert not OrmQ.objects.exists()
