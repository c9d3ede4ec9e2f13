"""What a PDF says, read by another program than the one that wrote it."""

import pypdfium2


def words(pdf: bytes) -> str:
    """The text of all pages, in reading order, lines joined by one space."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).replace("\u200b", "").split())
    finally:
        document.close()


def pages(pdf: bytes) -> int:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return len(document)
    finally:
        document.close()
