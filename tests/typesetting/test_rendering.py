"""PDFs from data: the same bytes for the same data, any text as text, nothing read but the sources."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import typst

from tests.paper import pages, words
from typesetting import rendering

AT = datetime(2026, 5, 1, 12, 0, 0, 1, tzinfo=UTC)


def _data(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Receipt R-2026-000001",
        "facts": [["Issued", "1 May 2026"]],
        "seller": ["Academy"],
        "buyer": ["Alice"],
        "lines_head": ["What", "Amount"],
        "lines": [["Ethics", "50.00 USD"]],
        "total": ["Total", "50.00 USD"],
        "tax_head": [],
        "tax": [],
        "notes": [],
        "foot": "Academy",
    } | changes


def _render(**changes: Any) -> bytes:
    return rendering.render("receipt", _data(**changes), at=AT)


class TestRender:
    def test_makes_a_document_that_says_what_it_was_given(self) -> None:
        pdf = _render()

        assert pdf.startswith(b"%PDF-")
        assert words(pdf).startswith(
            "Receipt R-2026-000001 Issued 1 May 2026 SOLD BY Academy SOLD TO Alice What Amount Ethics 50.00 USD Total"
        )

    def test_gives_the_same_bytes_for_the_same_data(self) -> None:
        first = _render()
        _render(title="Another one in between")

        assert _render() == first

    def test_is_tagged_and_made_to_last(self) -> None:
        assert b"<pdfaid:part>2</pdfaid:part>" in _render()

    @pytest.mark.parametrize(
        "name",
        ["Åsa Öström-Žižková", "Ελένη Παπαδοπούλου", "Анна Ковальчук", "José Ñúñez", "Đặng Thị Ánh", "山田 太郎", "王小明", "김민수"],
    )
    def test_has_letters_for_names_from_most_of_the_world(self, name: str) -> None:
        pdf = _render(buyer=[name])

        assert name in words(pdf)
        assert b"<pdfaid:part>" in pdf

    @pytest.mark.parametrize("name", ["دانا الخطيب", "דנה כהן"])
    def test_names_from_right_to_left_are_shaped_and_keep_the_rest_in_place(self, name: str) -> None:
        pdf = _render(buyer=[name, "12 Main Street"])

        assert b"<pdfaid:part>" in pdf
        assert "12 Main Street What Amount Ethics 50.00 USD" in words(pdf)

    @pytest.mark.parametrize("name", ["สมชาย", "😀", "\ufffe", "a\x00\x07b", "\u202eevil", "line\nbreak\u2028break"])
    def test_a_character_without_a_font_or_a_sense_breaks_nothing(self, name: str) -> None:
        assert "What Amount Ethics 50.00 USD Total 50.00 USD" in words(_render(buyer=[name]))

    @pytest.mark.parametrize(
        "text", ['#panic("out")', "$x^2$", "*bold* _it_ `code`", ']#read("/etc/passwd")[', "\\u{41}", "<label> @ref", "= Title", "// gone"]
    )
    def test_markup_in_a_text_is_text(self, text: str) -> None:
        said = words(_render(buyer=[text], title=text, notes=[text], lines=[[text, "1.00 USD"]]))

        assert said.count(text) == 4

    def test_a_word_longer_than_the_line_is_broken_and_stays_whole_to_the_reader(self) -> None:
        assert "x" * 200 in words(_render(buyer=["x" * 200])).replace(" ", "")

    def test_long_tables_go_on_to_the_next_page_with_their_head(self) -> None:
        pdf = _render(lines=[[f"Line {number}", "1.00 USD"] for number in range(60)])

        assert pages(pdf) == 2
        assert words(pdf).count("What Amount") == 2

    def test_refuses_more_data_than_it_can_set_in_a_moment(self) -> None:
        with pytest.raises(rendering.DocumentTooLarge):
            _render(notes=["x" * (rendering.LARGEST + 1)])

    @pytest.mark.parametrize("template", ["nothing", "../emails/base", "/etc/passwd"])
    def test_only_sources_of_the_folder_are_templates(self, template: str) -> None:
        with pytest.raises(FileNotFoundError):
            rendering.render(template, _data(), at=AT)

    def test_a_mistake_in_the_data_is_an_error_not_an_empty_page(self) -> None:
        with pytest.raises(typst.TypstError):
            rendering.render("receipt", {"title": "Receipt"}, at=AT)

    def test_several_threads_share_the_compiler(self) -> None:
        expected = {number: _render(title=f"Receipt {number}") for number in range(4)}
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda number: (number, _render(title=f"Receipt {number}")), [0, 1, 2, 3] * 4))

        assert all(pdf == expected[number] for number, pdf in made)


class TestWhatTheCompilerSees:
    @pytest.mark.parametrize("source", [b'#read("../base.html")', b'#read("/../web/base.html")', b'#import "@preview/tablex:0.0.9"'])
    def test_is_the_folder_of_the_sources_and_nothing_else(self, source: bytes) -> None:
        with pytest.raises(typst.TypstError):
            rendering._compiler().compile(input=source)
