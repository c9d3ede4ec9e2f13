"""The tree: where things are, what they may be called, and that nothing installed stands in their way."""

import importlib.util
from pathlib import Path

import pytest

from tests.architecture.source import DOMAIN, PACKAGES, ROOT, modules

BANNED_NAMES = {"utils.py", "helpers.py", "services.py", "common.py", "misc.py", "signals.py"}
CORE = {"__init__", "apps", "csv_cells", "errors", "full_text", "jobs", "models", "money", "outside_calls", "public_ids", "state_machine"}


class TestSourceRoot:
    def test_platform_is_no_package(self) -> None:
        """`import platform` is the standard library's; see docs/adr/0001."""
        assert not (ROOT / "platform" / "__init__.py").exists()

    def test_tests_are_a_package(self) -> None:
        """Otherwise pytest puts tests/ on the path, and tests/billing hides billing."""
        assert (ROOT / "tests" / "__init__.py").exists()

    def test_every_folder_of_the_source_roots_is_known_here(self) -> None:
        found = {path.parent.name for root in (ROOT, ROOT / "platform") for path in root.glob("*/__init__.py")}
        assert found == {*PACKAGES, "tests"} | ({"bench"} & found)

    @pytest.mark.parametrize("package", PACKAGES)
    def test_no_installed_package_hides_our_own(self, package: str) -> None:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        assert Path(spec.origin).is_relative_to(ROOT)
        assert ".venv" not in Path(spec.origin).relative_to(ROOT).parts

    def test_every_test_folder_is_a_package(self) -> None:
        bare = {path.parent for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()}
        assert bare == set()


class TestNames:
    def test_a_module_is_named_after_what_it_does(self) -> None:
        assert [module.name for module in modules() if module.name.rsplit("/", 1)[-1] in BANNED_NAMES and not module.is_test] == []

    def test_core_is_a_closed_list(self) -> None:
        found = {path.stem for path in (ROOT / "platform" / "core").glob("*.py")}
        assert found <= CORE

    def test_a_domain_app_has_no_admin_module(self) -> None:
        """What the consoles show stands in admin_ext."""
        assert [app for app in DOMAIN if (ROOT / "platform" / app / "admin.py").exists()] == []
