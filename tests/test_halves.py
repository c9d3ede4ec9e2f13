"""The two halves of the suite are the whole of it."""

from pathlib import Path

from tests import halves


class TestHalves:
    def test_name_every_test_module_once(self) -> None:
        named = [Path(path) for half in ("waiting", "computing") for path in halves.paths_of(half)]
        assert len(named) == len(set(named))
        modules = set(Path("tests").rglob("test_*.py"))
        assert modules == {path for name in named for path in ([name] if name.is_file() else name.rglob("test_*.py"))}

    def test_name_only_folders_that_exist(self) -> None:
        assert set(halves.WAITING) <= set(halves.folders())
