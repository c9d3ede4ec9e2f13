"""python -m bench [ROW …]: measure, print, and (for all rows) write the table of bench/README.md."""

import argparse
import json
import signal
import sys
from datetime import UTC, datetime
from importlib import import_module

from bench import bed, report

ROWS = ("registration", "reading", "console", "webhooks", "refunds", "reconciliation", "tasks", "busy", "startup")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ratios to a bare baseline, measured in the same run.")
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help=f"of {', '.join(ROWS)}; all unless named")
    wanted = parser.parse_args().rows or list(ROWS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    with bed.made() as made:
        for name in wanted:
            results = import_module(f"bench.{name}").measure(made)  # its models exist only once Django is set up
            for result in results:
                sys.stdout.write(json.dumps(result.as_dict(), ensure_ascii=False) + "\n")
                sys.stdout.flush()
            report.keep(name, results, on=datetime.now(UTC).date(), postgresql=made.version)
    report.write(ROWS)


if __name__ == "__main__":
    main()
