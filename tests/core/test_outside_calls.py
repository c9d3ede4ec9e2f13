"""The tripwire: no outside call while a transaction is open, in tests too."""

from typing import Any

import pytest
from django.db import transaction

from core.outside_calls import OutsideCallInTransaction, forbid_open_transaction


@pytest.mark.rule("M10")
@pytest.mark.gap("9.8")
class TestForbidOpenTransaction:
    @pytest.mark.django_db
    def test_lets_a_call_through_where_only_the_test_holds_one(self) -> None:
        forbid_open_transaction()

    @pytest.mark.django_db(transaction=True)
    def test_lets_a_call_through_where_none_is_open(self) -> None:
        forbid_open_transaction()

    @pytest.mark.django_db
    def test_raises_inside_a_block_of_the_code_under_test(self) -> None:
        with transaction.atomic(), pytest.raises(OutsideCallInTransaction):
            forbid_open_transaction()
        with transaction.atomic(), transaction.atomic(), pytest.raises(OutsideCallInTransaction):
            forbid_open_transaction()
        forbid_open_transaction()

    @pytest.mark.django_db(transaction=True)
    def test_raises_inside_a_real_transaction(self) -> None:
        with transaction.atomic(), pytest.raises(OutsideCallInTransaction):
            forbid_open_transaction()

    @pytest.mark.django_db
    def test_counts_every_block_outside_tests(self, settings: Any) -> None:
        settings.IS_TEST = False
        with pytest.raises(OutsideCallInTransaction):
            forbid_open_transaction()
