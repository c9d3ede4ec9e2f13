"""How large a piece may be, and what may not stand in it."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator

import pytest

from tests.architecture.source import DOMAIN, ROOT, Module, modules

MODULE_LINES, TEST_MODULE_LINES, FUNCTION_LINES, MODELS_PER_MODULE = 300, 400, 40, 2
# The two loops that must outlive whatever a task does.
MAY_CATCH_EVERYTHING = ("platform/core/jobs.py", "platform/billing/webhooks/processing.py")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
SKIPS = {"skip", "skipif", "xfail", "importorskip"}


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def names_called(module: Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            function = node.func
            yield node.lineno, function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException") for kind in types)


class TestSize:
    def test_of_modules(self) -> None:
        found = {module.name: module.text.count("\n") for module in modules()}
        limits = {module.name: TEST_MODULE_LINES if module.is_test else MODULE_LINES for module in modules()}
        assert {name: lines for name, lines in found.items() if lines > limits[name]} == {}

    def test_of_functions(self) -> None:
        long = {f"{module.name}:{node.name}": length(node) for module in modules() for node in module.functions()}
        assert {name: lines for name, lines in long.items() if lines > FUNCTION_LINES} == {}

    def test_models_become_a_package_at_the_third(self) -> None:
        counts = {
            module.name: sum(isinstance(node, ast.ClassDef) and _is_model(node) for node in module.tree.body)
            for module in modules()
            if module.name.endswith("/models.py")
        }
        assert {name: count for name, count in counts.items() if count > MODELS_PER_MODULE} == {}


def _is_model(node: ast.ClassDef) -> bool:
    """A table: not an abstract base, not an enumeration."""
    bases = {ast.unparse(base) for base in node.bases}
    metas = [inner for inner in node.body if isinstance(inner, ast.ClassDef) and inner.name == "Meta"]
    abstract = any("abstract = True" in ast.unparse(meta) for meta in metas)
    return not abstract and any(base.endswith("Model") for base in bases)


class TestBannedPatterns:
    def test_nothing_is_left_unfinished(self) -> None:
        found = []
        for module in modules():
            for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
                if token.type == tokenize.COMMENT and UNFINISHED.search(token.string):
                    found.append(f"{module.name}:{token.start[0]}")
        assert found == []

    def test_only_the_two_loops_catch_everything(self) -> None:
        found = [
            f"{module.name}:{node.lineno}"
            for module in modules()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ExceptHandler) and catches_everything(node) and module.name not in MAY_CATCH_EVERYTHING
        ]
        assert found == []

    def test_work_is_queued_inside_the_transaction(self) -> None:
        """`on_commit` loses the work of a process that dies between the commit and the callback."""
        assert [f"{module.name}:{line}" for module in modules() for line, name in names_called(module) if name == "on_commit"] == []

    def test_no_test_is_skipped(self) -> None:
        found = [
            f"{module.name}:{node.lineno}"
            for module in modules()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and node.attr in SKIPS and ast.unparse(node.value) in ("pytest", "pytest.mark", "unittest")
        ]
        assert found == []

    def test_no_assertion_is_always_true(self) -> None:
        found = [
            f"{module.name}:{node.lineno}"
            for module in modules()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and node.test.value
        ]
        assert found == []

    def test_protected_models_are_fetched_again_never_refreshed(self) -> None:
        """A failing refresh_from_db switches django-fsm's protection off for the whole process."""
        assert [f"{module.name}:{line}" for module in modules() for line, name in names_called(module) if name == "refresh_from_db"] == []


class TestImports:
    def test_only_the_gateway_knows_stripes_library(self) -> None:
        allowed = ("platform/billing/gateway/", "platform/sandbox/", "tests/", "bench/")
        assert [module.name for module in modules() if "stripe" in module.imported() and not module.name.startswith(allowed)] == []

    def test_a_domain_app_knows_no_surface(self) -> None:
        found = [module.name for module in modules() if module.package in DOMAIN and module.imported() & {"unfold", "ninja"}]
        assert found == []

    @pytest.mark.rule("C1")
    def test_no_app_uses_djangos_signals(self) -> None:
        found = []
        for module in modules():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(("dispatch", "signals")) and module.package in DOMAIN:
                    found.append(f"{module.name}:{node.lineno}")
        assert found == []


@pytest.mark.gap("9.6")
class TestNames:
    """A dead import broke the predecessor's sign-in: no name stands there unused, and none is used that is not there."""

    def _lint(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", *arguments]
        return subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)

    def test_are_all_defined_and_all_used(self) -> None:
        found = self._lint("--select", "F", ".")

        assert (found.returncode, found.stdout) == (0, "All checks passed!\n")

    @pytest.mark.parametrize(("text", "code"), [("import jwt\n", "F401"), ("print(jwt)\n", "F821")])
    def test_are_refused_by_the_projects_own_rules(self, text: str, code: str) -> None:
        found = self._lint("--stdin-filename", "platform/accounts/tokens.py", "-", text=text)

        assert found.returncode == 1
        assert code in found.stdout
