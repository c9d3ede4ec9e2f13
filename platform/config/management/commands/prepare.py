"""What a database needs before web and workers start, in one process: tables, the shared cache, the clock. Repeatable."""

from argparse import ArgumentParser
from collections.abc import Iterator
from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from config.demo import people, seeding
from config.env import env


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="sample data too, and who can sign in")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        call_command("sync_schedules", stdout=StringIO())
        if options["demo"]:
            call_command("seed_demo", size=env.int("DEMO_SIZE", default=seeding.SIZE), stdout=self.stdout)
            self.stdout.write("\n" + "\n".join(_sign_ins()))


def _sign_ins() -> Iterator[str]:
    wide = max(len(person.role) for person in people.SIGN_INS)
    for person in people.SIGN_INS:
        yield f"{person.role:{wide}}  {person.email:32} {settings.BASE_URL}{person.url}"
    yield f"Password of all: {people.PASSWORD}"
