"""manage.py write_references: docs/reference/*.md and public_api/openapi.json from the code; --check only compares."""

import difflib
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.env import BASE_DIR
from config.references import pages

_SHOWN = 40  # lines of a difference


class Command(BaseCommand):
    help = "Write the reference pages and the API's description from the code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail where a page differs from the code")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["check"]:
            for name in pages.write():
                self.stdout.write(f"{name} written")
            return
        outdated = pages.outdated()
        for name, text in outdated.items():
            path = BASE_DIR / name
            before = path.read_text().splitlines() if path.exists() else []
            difference = difflib.unified_diff(before, text.splitlines(), name, "what the code says", lineterm="", n=1)
            self.stderr.write("\n".join(list(difference)[:_SHOWN]))
        if outdated:
            raise CommandError(f"Run make docs: {', '.join(outdated)} differ from the code.")
