"""bench/results.json keeps each row's latest figures; the table in bench/README.md is written from it."""

import json
import os
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from bench.measure import Result
from bench.processes import ROOT

_RESULTS, _README = ROOT / "bench" / "results.json", ROOT / "bench" / "README.md"
_TABLE = re.compile(r"(?<=<!-- results -->\n).*?(?=<!-- end -->)", re.DOTALL)


def machine() -> str:
    """Cores, processor and memory."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    kilobytes = int(re.findall(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[0])
    return f"{os.cpu_count()} cores, {model[1].strip() if model else 'unknown processor'}, {kilobytes / 2**20:.0f} GB"


def _kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_RESULTS.read_text()) if _RESULTS.exists() else {}
    return found


def keep(name: str, results: Sequence[Result], *, on: date, postgresql: str) -> None:
    kept = _kept()
    kept[name] = {"on": str(on), "machine": f"{machine()}, PostgreSQL {postgresql}", "results": [result.as_dict() for result in results]}
    _RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def write(order: Sequence[str]) -> None:
    """Put the kept figures into the README, a table for each machine and day."""
    kept = _kept()
    places: dict[str, list[dict[str, str]]] = {}
    for name in order:
        if name in kept:
            places.setdefault(f"{kept[name]['machine']}; {kept[name]['on']}", []).extend(kept[name]["results"])
    parts = [f"{place}\n\n{_table(rows)}" for place, rows in places.items()]
    _README.write_text(_TABLE.sub(lambda _: "\n".join(["", *parts, ""]), _README.read_text()))


def _table(rows: Sequence[dict[str, str]]) -> str:
    head = "| work | limit | here | of the limit | cpu-ms a unit | queries a unit | to reach |\n|---|---|---|---|---|---|---|\n"
    columns = ("work", "limit", "product", "ratio", "cpu", "queries", "reach")
    return head + "".join(f"| {' | '.join(row[column] for column in columns)} |\n" for row in rows)
