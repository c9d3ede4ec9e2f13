from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django_q.models import Schedule

from config import checks, schedules
from config.demo import people
from config.management.commands import prepare
from config.schedules import SCHEDULES
from core import jobs


@pytest.mark.django_db
class TestPrepare:
    def test_puts_the_clock_in_place_and_no_sample_data(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("prepare")

        assert Schedule.objects.count() == len(SCHEDULES)
        assert capsys.readouterr().out == ""

    def test_adds_sample_data_and_says_who_can_sign_in(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        called: list[str] = []
        monkeypatch.setattr(prepare, "call_command", lambda name, **options: called.append(name))

        call_command("prepare", "--demo")

        assert called == ["migrate", "createcachetable", "sync_schedules", "seed_demo"]
        said = capsys.readouterr().out
        assert all(person.email in said for person in people.SIGN_INS)
        assert people.PASSWORD in said


class TestSeedDemo:
    def test_is_refused_where_stripe_is_the_real_one(self, settings: Any) -> None:
        settings.STRIPE_API_BASE = "https://api.stripe.com"

        with pytest.raises(CommandError, match="Sample data needs the Stripe sandbox"):
            call_command("seed_demo")


class TestChecks:
    def test_find_a_schedule_without_a_task(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert checks.every_schedule_has_its_task() == []

        known = jobs.registered()
        del known["core.jobs.sweep"]
        monkeypatch.setattr(jobs, "registered", lambda: known)

        found = checks.every_schedule_has_its_task()
        assert [error.id for error in found] == ["config.E001"]
        assert "core.jobs.sweep" in found[0].msg
        assert schedules.SCHEDULES[0].task == "core.jobs.sweep"
