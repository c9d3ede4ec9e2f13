"""Work and the clock: nothing registered that nobody starts, nothing started that nobody registered."""

import ast
import subprocess
import sys
from collections import Counter

import pytest
from croniter import croniter

from billing import fulfillment
from config import urls
from config.schedules import SCHEDULES
from core import jobs
from tests.architecture.source import PACKAGES, modules
from tests.processes import environment

assert urls.urlpatterns  # loaded first, so that every task of pages and routers is registered too

ENQUEUING = ("jobs.enqueue", "enqueue", "subscription_sync.followed_by")


def enqueued() -> set[str]:
    """Last names of the functions given to jobs.enqueue, wherever that is called, or handed to somebody who enqueues them."""
    found = set()
    for module in modules():
        if module.is_test:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in ENQUEUING:
                found.add(ast.unparse(node.args[0]).rsplit(".", 1)[-1])
    return found


class TestTasks:
    def test_every_one_is_enqueued_or_run_by_the_clock(self) -> None:
        started, clocked = enqueued(), {entry.task for entry in SCHEDULES}
        assert {name for name in jobs.registered() if name.rsplit(".", 1)[-1] not in started and name not in clocked} == set()

    def test_every_one_is_known_as_soon_as_django_is_set_up(self) -> None:
        """A worker imports no page and no router: a task that is known only through one would fail there."""
        say = "import django; django.setup(); from core import jobs; print(*jobs.registered())"
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", say], env=environment(), capture_output=True, text=True, check=True)
        assert set(done.stdout.split()) == {name for name in jobs.registered() if not name.startswith("tests.")}


class TestSchedules:
    def test_every_one_runs_a_registered_task(self) -> None:
        assert {entry.task for entry in SCHEDULES} <= set(jobs.registered())

    def test_every_one_has_a_time_an_owner_and_a_word_on_missed_runs(self) -> None:
        for entry in SCHEDULES:
            assert croniter.is_valid(entry.cron), entry
            assert entry.owner in PACKAGES, entry
            assert entry.if_missed.endswith("."), entry

    def test_no_name_and_no_task_stands_there_twice(self) -> None:
        assert set(Counter(entry.name for entry in SCHEDULES).values()) == {1}
        assert set(Counter(entry.task for entry in SCHEDULES).values()) == {1}


class TestRegistries:
    @pytest.mark.rule("C1")
    def test_whatever_can_be_bought_is_handed_over_by_somebody(self) -> None:
        """Each app that sells has a constant PURPOSE, in the module that sells."""
        sold = set()
        for module in modules():
            for node in module.tree.body:
                is_purpose = isinstance(node, ast.Assign) and any(ast.unparse(target) == "PURPOSE" for target in node.targets)
                if is_purpose and isinstance(node, ast.Assign) and not module.is_test:
                    sold.add(ast.literal_eval(node.value))
        assert sold == fulfillment.purposes()
        assert sold
