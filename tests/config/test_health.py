from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from config import health
from core import jobs
from core.models import Job
from ledger.models import InvariantRun


@pytest.fixture
def _asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrated", False)


class TestHealthz:
    def test_answers_without_a_database(self, client: Client) -> None:
        assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
@pytest.mark.usefixtures("_asked_anew")
class TestReadyz:
    def test_names_every_check(self, client: Client) -> None:
        answer = client.get("/readyz")

        assert answer.status_code == 200
        assert answer.json() == {"status": "ready", "checks": {"database": "ok", "migrations": "ok", "cache": "ok", "queues": "ok"}}

    def test_refuses_while_a_migration_is_missing(self, client: Client) -> None:
        last = Path(apps.get_app_config("ledger").path, "migrations", "max_migration.txt").read_text().strip()
        MigrationRecorder(connection).record_unapplied("ledger", last)

        answer = client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["checks"]["migrations"] == "1 migrations are not applied; run manage.py migrate"
        assert answer.json()["checks"]["database"] == "ok"

    def test_refuses_while_the_database_is_away(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def gone(*_: Any) -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr(connection, "cursor", gone)

        answer = client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["checks"]["database"] == "the database does not answer: OperationalError"

    def test_refuses_while_a_queue_stands_still(self, client: Client) -> None:
        jobs.enqueue(jobs.sweep, run_after=timezone.now() - timedelta(seconds=400))

        answer = client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["checks"]["queues"].startswith("default is 400 s behind")

    def test_does_not_mind_work_that_is_for_later(self, client: Client) -> None:
        jobs.enqueue(jobs.sweep, run_after=timezone.now() + timedelta(hours=1))

        assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
class TestMetrics:
    def test_counts_the_work(self, client: Client) -> None:
        jobs.enqueue(jobs.sweep, run_after=timezone.now() - timedelta(seconds=90))
        dead = jobs.enqueue(jobs.sweep)
        jobs.bury(job=Job.objects.get(pk=dead.pk), error="gave up")
        InvariantRun.objects.create(rules=3, violations={"trial_balance": ["off by one"]})

        lines = client.get("/metrics").content.decode().splitlines()

        assert 'cpd_queue_jobs{queue="default"} 1.0' in lines
        assert 'cpd_queue_jobs{queue="money"} 0.0' in lines
        assert 'cpd_jobs_dead{queue="default"} 1.0' in lines
        assert "cpd_inbound_events_dead 0.0" in lines
        assert 'cpd_refunds{state="requested"} 0.0' in lines
        assert "cpd_invariants_broken 1.0" in lines
        age = next(line for line in lines if line.startswith('cpd_queue_oldest_seconds{queue="default"}'))
        assert 90 <= float(age.split()[1]) < 120

    def test_does_not_exist_without_the_token(self, client: Client, settings: Any) -> None:
        settings.METRICS_TOKEN = "s3cret-of-the-scraper"

        assert client.get("/metrics").status_code == 404
        assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
        assert client.get("/metrics", headers={"Authorization": "Bearer s3cret-of-the-scraper"}).status_code == 200

    def test_does_not_exist_in_a_production_that_has_no_token(self, client: Client, settings: Any) -> None:
        settings.IS_PRODUCTION = True

        assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
