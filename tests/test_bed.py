"""The test bed itself: what every other test relies on."""

import socket

import pytest
import pytest_socket
from django.db import connection

from core import jobs
from core.models import Job


@pytest.mark.django_db
class TestBed:
    def test_runs_on_postgresql_with_its_migrations(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM django_migrations WHERE app = 'ledger'")
            assert cursor.fetchone()[0] >= 1

    def test_work_that_was_queued_is_done_by_draining(self, run_jobs) -> None:
        job = jobs.enqueue(jobs.sweep)

        assert run_jobs() == 1
        assert Job.objects.get(pk=job.pk).state == Job.State.DONE

    @pytest.mark.filterwarnings("ignore::UserWarning:pytest_socket")
    def test_no_address_outside_this_machine_can_be_reached(self) -> None:
        with pytest.raises(pytest_socket.SocketConnectBlockedError), socket.socket() as outside:
            outside.connect(("192.0.2.1", 80))
