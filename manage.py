"""Django's command line. `platform/` is appended to the path, never made a package: see docs/adr/0001."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line


def main() -> None:
    sys.path.append(str(Path(__file__).resolve().parent / "platform"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
