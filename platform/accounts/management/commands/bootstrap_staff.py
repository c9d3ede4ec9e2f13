"""manage.py bootstrap_staff EMAIL: the first staff account of a new installation."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import bootstrap
from audit.actor import StaffGroup
from core.errors import DomainError


class Command(BaseCommand):
    help = "Create a staff account without a password and print the link that sets one (works once, for one hour)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        groups = [str(group) for group in StaffGroup]
        parser.add_argument("--group", action="append", choices=groups, help="may be given several times; superuser where it is not given")
        parser.add_argument("--another", action="store_true", help="although there are staff accounts already")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            groups = [StaffGroup(group) for group in options["group"] or [StaffGroup.SUPERUSER]]
            link = bootstrap.bootstrap_staff(email=options["email"], groups=groups, another=options["another"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(link)
        self.stderr.write("Open it within an hour, set a password, then set up the second factor that the staff console asks for.")
