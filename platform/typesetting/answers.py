"""A PDF as the answer to a request: shown in the browser, saved under its number, kept by no cache on the way."""

from django.http import HttpResponse


def pdf_answer(pdf: bytes, *, name: str) -> HttpResponse:
    """name: of the file, ASCII."""
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "private, no-store"}
    return HttpResponse(pdf, content_type="application/pdf", headers=headers)
