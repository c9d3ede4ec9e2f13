"""manage.py seed_demo: sample data in the database and in the Stripe sandbox."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.demo import exceptions, seeding


class Command(BaseCommand):
    help = "Fill database and Stripe sandbox with the same sample data. Repeatable: what is there stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--size", type=int, default=seeding.SIZE, help="number of registrations")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = seeding.seed(size=options["size"])
        except (seeding.NotHere, LookupError) as refusal:
            raise CommandError(str(refusal)) from refusal
        if not done.registrations and not done.stripe_records:
            self.stdout.write("The sample data is there already; nothing was changed.")
            return
        self.stdout.write(
            f"Sample data: {done.registrations} registrations here, {done.stripe_records} sales at Stripe. Planted differences:"
        )
        for sentence in exceptions.PLANTED:
            self.stdout.write(f"  - {sentence}")
