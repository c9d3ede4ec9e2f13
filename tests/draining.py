"""Working off the queue inside the test, message by message, exactly as a worker would."""

from datetime import datetime, timedelta
from typing import Any

import time_machine
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ
from django_q.signing import SignedPackage


def _due(before: datetime) -> OrmQ | None:
    return OrmQ.objects.filter(lock__lte=before).order_by("lock", "pk").first()


def drain(*, delayed: bool = False, limit: int = 1000) -> int:
    """Do everything that is due, and what that brings about; the number of messages.

    delayed: also what waits for later (back-off), with the clock set to its time. Raises AssertionError after `limit` messages.
    """
    done = 0
    while message := _due(timezone.now() + (timedelta(days=30) if delayed else timedelta())):
        done += 1
        assert done <= limit, "the queue never runs dry"
        task: dict[str, Any] = SignedPackage.loads(message.payload)
        when = message.lock
        message.delete()
        function = import_string(task["func"]) if isinstance(task["func"], str) else task["func"]
        if when > timezone.now():
            with time_machine.travel(when + timedelta(seconds=1)):
                function(*task["args"])
        else:
            function(*task["args"])
    return done
