"""manage.py seed_plans: the plans that a new installation begins with; repeatable."""

from typing import Any

from django.core.management.base import BaseCommand

from billing import plan_seeding


class Command(BaseCommand):
    help = "Write the plans that are missing from the catalogue, with their prices, and have Stripe told by a worker."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"plans added: {plan_seeding.seed()}")
