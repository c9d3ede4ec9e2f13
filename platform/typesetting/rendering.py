"""PDFs from the sources in templates/typeset/: fixed Typst programs that read data and are never made of it.

The compiler sees that folder and the fonts of its own wheel, nothing else of the machine: no system fonts (the same document looks the
same everywhere), no packages, no network. templates/typeset/fonts adds what the wheel lacks: Chinese, Japanese and Korean. What is
printed arrives as JSON in `sys.inputs`, so no text can become source.
"""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst
from django.conf import settings

SOURCES = Path(settings.BASE_DIR) / "templates" / "typeset"
# Typst has no clock to stop it. The sources only walk over their data once, so the size of the data bounds time and memory:
# a table of this size (some 4,000 rows) takes about a second and 200 MB.
LARGEST = 250_000
# Tagged for screen readers, text extractable, kept readable for decades; a character that no font has is an error in it.
_STANDARD = "a-2a"
_alone = threading.Lock()


class DocumentTooLarge(ValueError):
    """More data than one document is made of: print a shorter period, or fewer lines."""


def render(template: str, data: Mapping[str, Any], *, at: datetime) -> bytes:
    """The PDF of `templates/typeset/<template>.typ` with `data` (anything JSON can say), dated `at`. Same arguments, same bytes.

    Raises DocumentTooLarge, and FileNotFoundError where there is no such template.
    """
    text = json.dumps(data, ensure_ascii=False, sort_keys=True)
    if len(text.encode()) > LARGEST:
        raise DocumentTooLarge(f"{template}: {len(text)} characters of data.")
    source = SOURCES / f"{template}.typ"
    if source.parent != SOURCES or not source.is_file():
        raise FileNotFoundError(template)
    try:
        return _compiled(source, text, at, [_STANDARD])
    except typst.TypstError as error:
        if not str(error).startswith("PDF/A"):
            raise
        return _compiled(source, text, at, [])  # a name in a script without a font: boxes on paper, its characters in the text layer


@cache
def _compiler() -> typst.Compiler:
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[SOURCES / "fonts"])
    return typst.Compiler(input=b"", root=SOURCES, font_paths=fonts)


def _compiled(source: Path, data: str, at: datetime, standards: list[Any]) -> bytes:
    inputs, moment = {"data": data}, at.astimezone(UTC).replace(microsecond=0)  # PDF knows no smaller part of time
    with _alone:  # one compiler for the process: its fonts and parsed sources are kept, and it may be used by one thread at a time
        made = _compiler().compile(input=source, format="pdf", sys_inputs=inputs, pdf_standards=standards, timestamp=moment, root=SOURCES)
    if not isinstance(made, bytes):
        raise TypeError("Typst gave no single document.")
    return made
