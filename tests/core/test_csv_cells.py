"""Cells of CSV files: no formula begins in one."""

from decimal import Decimal

import pytest

from core import csv_cells


class TestSafe:
    @pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
    def test_begins_no_formula(self, begin: str) -> None:
        assert csv_cells.safe(f"{begin}HYPERLINK(1)") == f"'{begin}HYPERLINK(1)"

    def test_leaves_numbers_and_plain_text_alone(self) -> None:
        assert [csv_cells.safe(value) for value in (-5, Decimal("-0.50"), "Zoë", None)] == ["-5", "-0.50", "Zoë", ""]
