"""manage.py sync_schedules: make django-q2's schedules agree with config/schedules.py."""

from typing import Any

from django.core.management.base import BaseCommand

from config import schedules


class Command(BaseCommand):
    help = "Make the queue's schedules agree with the table in config/schedules.py. Repeatable."

    def handle(self, *args: Any, **options: Any) -> None:
        done = schedules.sync()
        self.stdout.write(", ".join(f"{count} {what}" for what, count in done.items()))
