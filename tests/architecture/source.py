"""The project's own Python, read once: what the tests of this folder look at."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = (ROOT / "platform", ROOT)
DOMAIN = (
    "core",
    "typesetting",
    "audit",
    "notifications",
    "accounts",
    "entitlements",
    "organizations",
    "ledger",
    "billing",
    "events",
    "promo_codes",
    "registrations",
)
PACKAGES = ("config", *DOMAIN, "web", "sandbox", "admin_ext", "public_api")


@dataclass(frozen=True)
class Module:
    """name: path from the root, with slashes; package: the top-level package."""

    name: str
    package: str
    text: str
    tree: ast.Module

    @property
    def is_test(self) -> bool:
        return self.package == "tests"

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def imported(self) -> set[str]:
        """Top-level names of what it imports."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
        return found


def _files() -> Iterator[Path]:
    yield ROOT / "manage.py"
    for folder in ("platform", "admin_ext", "public_api", "tests", "bench"):
        yield from sorted(path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts)


@cache
def modules() -> tuple[Module, ...]:
    found = []
    for path in _files():
        name, text = path.relative_to(ROOT).as_posix(), path.read_text()
        parts = name.split("/")
        found.append(Module(name, parts[1] if parts[0] == "platform" else parts[0], text, ast.parse(text, name)))
    return tuple(found)
