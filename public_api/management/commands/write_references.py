"""manage.py write_references: write the generated references anew, or check that they are what would be written."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from public_api.references import FILES

ROOT = Path(__file__).resolve().parents[3]


class Command(BaseCommand):
    help = "Write docs/reference and public_api/openapi.json; with --check only say which differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        stale = [name for name, make in FILES.items() if not _is(ROOT / name, make())]
        if options["check"] and stale:
            raise CommandError(f"Generated anew these would differ: {', '.join(stale)}. Run make docs and commit them.")
        for name in stale:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(FILES[name](), encoding="utf-8")
            self.stdout.write(name)


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text
