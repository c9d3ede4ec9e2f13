"""Uses of a code, counted by the database whoever writes."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from core.public_ids import uuid7
from promo_codes import invariants
from promo_codes.models import PromoCode, Redemption
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import UserFactory, personas
from tests.factories.promo_codes import now, promo_code

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.6")]


@pytest.fixture
def code() -> PromoCode:
    return promo_code(OrganizationFactory.create(), max_uses=2)


def use(code: PromoCode, email: str = "zoe@example.org", **values: object) -> Redemption:
    given = {"subject": f"reg_{uuid7().hex}"[:40], "group": "evt_1", "price": 5000, "amount": 1000, "currency": "USD", **values}
    return Redemption.objects.create(code=code, email=email, **given)


class TestCounter:
    def test_follows_every_move(self, code: PromoCode) -> None:
        first = use(code)
        assert now(code).uses == 1
        for state, uses in (("consumed", 1), ("released", 0), ("consumed", 1), ("released", 0)):
            stamps = {"consumed_at": first.created_at, "released_at": first.created_at}
            Redemption.objects.filter(pk=first.pk).update(state=state, **stamps)
            assert now(code).uses == uses
        assert list(invariants.uses_are_counted()) == []

    def test_stops_at_the_limit_even_for_raw_sql(self, code: PromoCode) -> None:
        gone = use(code)
        Redemption.objects.filter(pk=gone.pk).update(state="released", released_at=gone.created_at)
        use(code)
        use(code, "yan@example.org")
        with pytest.raises(IntegrityError, match="promo_code_not_overused"), transaction.atomic():
            use(code, "xin@example.org")
        with pytest.raises(IntegrityError, match="promo_code_not_overused"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE promo_codes_redemption SET state = 'consumed', consumed_at = now() WHERE id = %s", [gone.pk])
        assert now(code).uses == 2

    def test_stops_at_the_persons_limit_by_address_and_by_account(self) -> None:
        code, zoe = promo_code(OrganizationFactory.create(), max_uses_per_person=1), UserFactory.create(email="zoe@example.org")
        use(code, zoe.email, user=zoe)
        for again in ({"email": "ZOE@example.org"}, {"email": "other@example.org", "user": zoe}):
            with pytest.raises(IntegrityError, match="as often as one may"), transaction.atomic():
                use(code, **again)
        use(code, "yan@example.org")
        assert now(code).uses == 2

    def test_keeps_uses_for_good_and_at_their_code(self, code: PromoCode) -> None:
        kept = use(code)
        with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
            kept.delete()
        with pytest.raises(IntegrityError, match="stays with its code"), transaction.atomic():
            Redemption.objects.filter(pk=kept.pk).update(code=promo_code(code.organization))
        with pytest.raises(IntegrityError, match="may not start"), transaction.atomic():
            use(code, state="released", released_at=kept.created_at)
        for values in ({"amount": 0}, {"amount": 5001}):
            with pytest.raises(IntegrityError, match="redemption_amount_within_price"), transaction.atomic():
                use(code, **values)

    def test_a_difference_is_told_with_its_code(self, code: PromoCode) -> None:
        use(code)
        PromoCode.objects.filter(pk=code.pk).update(uses=0)
        assert list(invariants.uses_are_counted()) == [f"{code.public_id} counts 0 uses, but 1 redemptions count."]


class TestVisibleTo:
    def test_shows_uses_to_the_codes_own_people(self) -> None:
        people = personas()
        made = use(promo_code(people.organization))
        assert Redemption.objects.visible_to(people.as_bob).get() == made
        assert str(made).endswith("by zoe@example.org")
        assert not Redemption.objects.visible_to(people.as_charlie).exists()
