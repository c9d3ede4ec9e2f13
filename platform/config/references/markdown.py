"""The little Markdown that the reference pages need."""

from collections.abc import Iterable, Sequence

NOTE = "<!-- Written by `make docs` from the code; `make check` compares. Change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    return "\n\n".join([NOTE, f"# {title}", *(part.strip("\n") for part in parts)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(text: object) -> str:
    return f"`{text}`"


def first_line(docstring: str | None) -> str:
    return (docstring or "").strip().split("\n")[0]
