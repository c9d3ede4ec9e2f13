import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from config.references import markdown, pages
from config.schedules import SCHEDULES
from organizations.permissions import Permission

ROOT = Path(__file__).resolve().parents[2]


class TestPages:
    def test_that_are_committed_say_what_the_code_says(self) -> None:
        assert sorted(pages.outdated()) == []

    def test_are_written_where_they_are_missing_and_left_alone_where_they_are_right(self, tmp_path: Path) -> None:
        assert pages.write(tmp_path) == sorted(pages.PAGES)
        assert pages.write(tmp_path) == []

    def test_that_were_edited_by_hand_are_found(self, tmp_path: Path) -> None:
        pages.write(tmp_path)
        edited = tmp_path / "docs/reference/permissions.md"
        edited.write_text(edited.read_text() + "and more\n")

        assert list(pages.outdated(tmp_path)) == ["docs/reference/permissions.md"]

    def test_name_every_permission_and_schedule(self) -> None:
        texts = {name: render() for name, render in pages.PAGES.items()}

        assert all(f"`{permission.value}`" in texts["docs/reference/permissions.md"] for permission in Permission)
        assert all(entry.task in texts["docs/reference/schedules.md"] for entry in SCHEDULES)

    def test_show_each_state_machine_with_its_first_state_and_its_operations(self) -> None:
        text = pages.PAGES["docs/reference/state-machines.md"]()

        section = text.split("## core.Job\n")[1].split("\n## ")[0]
        assert "    [*] --> queued\n" in section
        assert "    running --> done\n" in section
        assert "| `finish` | running | done | `core.jobs.finish` |" in section

    def test_show_facts_that_balance(self) -> None:
        text = pages.PAGES["docs/reference/ledger-accounts.md"]()

        captured = text.split("### Payment captured\n")[1].split("###")[0]
        assert "| `stripe_balance` | USD 113.40 |" in captured or "| `stripe_balance` | 113.40 USD |" in captured

    def test_describe_the_api_as_it_is_served(self) -> None:
        described = json.loads((ROOT / "public_api/openapi.json").read_text())

        assert all(path.startswith("/api/v1/") for path in described["paths"])
        assert described["paths"]


class TestTheCommand:
    def test_is_content_with_what_is_committed(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("write_references", "--check")

        assert capsys.readouterr().out == ""

    def test_names_the_page_that_differs_and_shows_how(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        page = pages.PAGES["docs/reference/schedules.md"]
        monkeypatch.setitem(pages.PAGES, "docs/reference/schedules.md", lambda: page() + "nothing\n")

        with pytest.raises(CommandError, match=r"Run make docs: docs/reference/schedules.md differ"):
            call_command("write_references", "--check")
        assert "+nothing" in capsys.readouterr().err

    def test_says_what_it_wrote(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr(pages, "write", lambda: ["docs/reference/schedules.md"])

        call_command("write_references")

        assert capsys.readouterr().out == "docs/reference/schedules.md written\n"


class TestTable:
    def test_keeps_a_bar_inside_a_cell(self) -> None:
        assert markdown.table(("a",), [("x | y",)]) == "| a |\n| --- |\n| x \\| y |"
