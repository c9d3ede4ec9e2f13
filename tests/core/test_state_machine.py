"""The state machine's trigger: nobody moves a row where no decorator does."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django_fsm import TransitionNotAllowed

from core import state_machine
from core.models import Job
from core.public_ids import uuid7

MACHINE = "core_job_state_machine"


def running() -> Job:
    job = Job.objects.create(name="tests.nothing")
    job.start(at=timezone.now(), lease=timedelta(minutes=1))
    job.save()
    return job


@pytest.mark.django_db
@pytest.mark.rule("C10")
class TestTrigger:
    def test_lets_the_decorators_moves_through(self) -> None:
        job = running()
        job.finish(at=timezone.now())
        job.save()

        assert Job.objects.get(pk=job.pk).state == Job.State.DONE

    def test_refuses_update_past_a_transition(self) -> None:
        job = running()
        job.finish(at=timezone.now())
        job.save()

        with pytest.raises(IntegrityError, match='no move from "done" to "queued"') as refused, transaction.atomic():
            Job.objects.filter(pk=job.pk).update(state="queued")
        assert refused.value.__cause__.diag.constraint_name == MACHINE  # type: ignore[union-attr]
        assert Job.objects.get(pk=job.pk).state == Job.State.DONE

    def test_refuses_raw_sql_too(self) -> None:
        job = running()

        with pytest.raises(IntegrityError, match="no move"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE core_job SET state = 'nonsense' WHERE id = %s", [job.pk])
        assert Job.objects.get(pk=job.pk).state == Job.State.RUNNING

    def test_refuses_a_row_that_begins_in_a_later_state(self) -> None:
        with pytest.raises(IntegrityError, match='may not start in state "done"') as refused, transaction.atomic():
            Job.objects.create(name="tests.nothing", state="done")
        assert refused.value.__cause__.diag.constraint_name == MACHINE  # type: ignore[union-attr]

    def test_refuses_an_upsert_that_would_move_it(self) -> None:
        job = running()
        job.finish(at=timezone.now())
        job.save()

        with pytest.raises(IntegrityError, match="no move"), transaction.atomic():
            Job.objects.bulk_create(
                [Job(pk=job.pk, name="tests.nothing")], update_conflicts=True, update_fields=["state"], unique_fields=["id"]
            )

    def test_leaves_other_columns_alone(self) -> None:
        job = running()
        assert Job.objects.filter(pk=job.pk).update(error="seen", state="running") == 1


@pytest.mark.django_db
@pytest.mark.rule("C10")
class TestProtectedField:
    def test_refuses_assignment(self) -> None:
        job = Job.objects.create(name="tests.nothing")
        with pytest.raises(AttributeError):
            job.state = "done"

    def test_refuses_a_transition_from_the_wrong_state(self) -> None:
        job = Job.objects.create(name="tests.nothing")
        with pytest.raises(TransitionNotAllowed):
            job.finish(at=timezone.now())
        assert state_machine.allows(job, "start")
        assert not state_machine.allows(job, "finish")


class TestMoves:
    def test_are_read_from_the_decorators(self) -> None:
        assert state_machine.moves(Job) == [
            ("dead", "queued"),
            ("queued", "dead"),
            ("queued", "running"),
            ("running", "dead"),
            ("running", "done"),
            ("running", "queued"),
        ]

    def test_name_the_operation_that_applies_each(self) -> None:
        assert {str(move.custom["operation"]) for move in state_machine.transitions(Job)} == {
            f"core.jobs.{name}" for name in ("take", "finish", "put_back", "bury", "retry")
        }

    def test_make_an_empty_table_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(state_machine, "transitions", lambda model, field_name: iter(()))
        with pytest.raises(ValueError, match="no transitions found"):
            state_machine.moves(Job)


@pytest.mark.django_db
class TestBaseModel:
    def test_shows_its_key_with_the_models_prefix(self) -> None:
        job = Job(id=uuid7(), name="tests.shown")
        assert job.public_id.startswith("job_")
        assert str(job) == "tests.shown"
