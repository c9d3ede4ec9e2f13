"""The bounds of coverage: every branch where money and permissions are decided, 95 % of everything. Run after the tests."""

import io
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import coverage

WHOLE = (
    "platform/ledger/",
    "platform/billing/",
    "platform/organizations/permissions.py",
    "platform/registrations/eligibility.py",
    "platform/registrations/intervals.py",
)
OVERALL = 95.0


def shortfalls(report: Mapping[str, Any]) -> list[str]:
    """One line for each file that misses its bound, and one for the whole."""
    found = []
    for name, file in sorted(report["files"].items()):
        summary = file["summary"]
        if name.startswith(WHOLE) and (summary["missing_lines"] or summary["missing_branches"]):
            branches = ", ".join(f"{a}->{b}" for a, b in file["missing_branches"])
            found.append(f"{name}: lines {file['missing_lines']} and branches [{branches}] are never run")
    if report["totals"]["percent_covered"] < OVERALL:
        found.append(f"overall {report['totals']['percent_covered']:.1f} % is covered; the bound is {OVERALL} %")
    return found


def main() -> None:
    data = coverage.Coverage()
    data.load()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "coverage.json"
        data.json_report(outfile=str(out))
        report = json.loads(out.read_text())
    found = shortfalls(report)
    out_text = io.StringIO()
    print(f"coverage: {report['totals']['percent_covered']:.1f} % overall", file=out_text)
    print("\n".join(found), file=out_text)
    sys.stdout.write(out_text.getvalue())
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
