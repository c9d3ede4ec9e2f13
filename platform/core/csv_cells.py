"""Cells of CSV files that people open in a spreadsheet."""

from decimal import Decimal
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)


def safe(value: Any) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe before what would begin one. Numbers stay numbers, None is empty."""
    if isinstance(value, (int, Decimal)):
        return str(value)
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
