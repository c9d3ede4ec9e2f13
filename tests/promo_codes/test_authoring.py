"""Making and changing codes: who may, what cannot be, and what people's uses freeze."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_fsm import TransitionNotAllowed

from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound, PermissionRefused
from promo_codes import authoring, lifecycle, spelling
from promo_codes.belongings import PromoCodeBelongings
from promo_codes.models import PromoCode
from tests.factories.events import EventFactory
from tests.factories.people import Personas, personas
from tests.factories.promo_codes import SYSTEM, now, promo_code
from tests.factories.registrations import paid_event, register

pytestmark = pytest.mark.django_db
PERCENT = {"code": "SPRING", "kind": "percent", "basis_points": 2000}
FIXED = {"code": "SPRING", "kind": "fixed", "amount": 1500, "currency": "USD"}


@pytest.fixture
def people() -> Personas:
    return personas()


def create(people: Personas, **terms: Any) -> PromoCode:
    return authoring.create(organization_id=people.organization.pk, by=people.as_alice, **terms)


class TestCreate:
    def test_makes_an_active_code_and_says_so(self, people: Personas) -> None:
        code = create(people, **PERCENT, max_uses=20, description="Campaign")

        assert (code.state, code.uses, code.worth, code.currency) == ("active", 0, "20 %", "")
        assert code.responsible_id == people.alice.pk
        entry = AuditEntry.objects.get(action="promo_code.created")
        assert (entry.object_id, entry.after["max_uses"]) == (code.pk, 20)

    @pytest.mark.parametrize("other", ["spring", "SPRING", " Spring ", "ＳＰＲＩＮＧ"])
    def test_refuses_another_spelling_of_one_that_is_there(self, people: Personas, other: str) -> None:
        create(people, **PERCENT)
        with pytest.raises(authoring.CodeTaken):
            create(people, **{**PERCENT, "code": other})
        assert PromoCode.objects.count() == 1

    def test_lets_two_organizations_have_the_same(self, people: Personas) -> None:
        create(people, **PERCENT)
        theirs = authoring.create(organization_id=people.elsewhere.pk, by=people.as_charlie, **PERCENT)
        assert theirs.organization_id == people.elsewhere.pk

    @pytest.mark.parametrize(
        ("terms", "field"),
        [
            ({"code": "A"}, "code"),
            ({"code": "WITH SPACE"}, "code"),
            ({"code": "=SUM"}, "code"),
            ({"code": "x" * 41}, "code"),
            ({"basis_points": 0}, "basis_points"),
            ({"basis_points": 10_001}, "basis_points"),
            ({"basis_points": True}, "basis_points"),
            ({"basis_points": None}, "basis_points"),
            ({"amount": 100}, "amount"),
            ({"kind": "fixed"}, "amount"),
            ({"kind": "gift"}, "kind"),
            ({"kind": "fixed", "amount": 100, "currency": "USD"}, "basis_points"),
            ({"currency": "USD"}, "currency"),
            ({"currency": "XXX"}, "currency"),
            ({"cap_amount": 100}, "currency"),
            ({"cap_amount": 1005, "currency": "KWD"}, "cap_amount"),
            ({"minimum_amount": 150, "currency": "ISK"}, "minimum_amount"),
            ({"minimum_amount": 0, "currency": "USD"}, "minimum_amount"),
            ({"max_uses": 0}, "max_uses"),
            ({"max_uses_per_person": 1_000_001}, "max_uses_per_person"),
            ({"first_time_only": "yes"}, "first_time_only"),
            ({"subjects": ["evt_x"]}, "subjects"),
            ({"subjects": "evt_x"}, "subjects"),
            ({"subjects": [None]}, "subjects"),
            ({"starts_at": "2027"}, "starts_at"),
            ({"uses": 3}, "uses"),
        ],
    )
    def test_refuses_what_no_code_could_be(self, people: Personas, terms: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            create(people, **{**PERCENT, **terms})
        assert refused.value.field == field
        assert not PromoCode.objects.exists()

    def test_refuses_a_window_that_ends_before_it_begins(self, people: Personas) -> None:
        at = timezone.now()
        with pytest.raises(InvalidInput, match="must end after it begins"):
            create(people, **FIXED, starts_at=at, ends_at=at)

    def test_refuses_a_cap_of_a_fixed_amount(self, people: Personas) -> None:
        with pytest.raises(InvalidInput, match="needs no cap"):
            create(people, **FIXED, cap_amount=100)

    def test_refuses_events_of_somebody_else(self, people: Personas) -> None:
        with pytest.raises(InvalidInput, match="one of these is none"):
            create(people, **PERCENT, subjects=[EventFactory().public_id])

    def test_is_an_organizers_for_their_own_events_where_the_organization_says_so(self, people: Personas) -> None:
        people.organization.organizer_scope = "own"
        people.organization.save()
        mine = EventFactory(organization=people.organization, host=people.bob)
        others = EventFactory(organization=people.organization, host=people.alice)
        given = {"organization_id": people.organization.pk, "by": people.as_bob}

        with pytest.raises(InvalidInput, match="a code for all events is an admin's"):
            authoring.create(**given, **PERCENT)
        with pytest.raises(PermissionRefused):
            authoring.create(**given, **PERCENT, subjects=[mine.public_id, others.public_id])
        made = authoring.create(**given, **PERCENT, subjects=[mine.public_id])
        assert PromoCode.objects.visible_to(people.as_bob).get() == made
        assert PromoCode.objects.visible_to(people.as_alice).get() == made
        assert not PromoCode.objects.visible_to(people.as_charlie).exists()

    def test_shows_no_organization_to_strangers(self, people: Personas) -> None:
        with pytest.raises(NotFound):
            authoring.create(organization_id=people.organization.pk, by=people.as_charlie, **PERCENT)

    def test_by_staff_is_answered_for_by_an_admin(self, people: Personas) -> None:
        assert authoring.create(organization_id=people.organization.pk, by=SYSTEM, **PERCENT).responsible_id == people.alice.pk


class TestSpelling:
    @pytest.mark.parametrize(("typed", "same"), [("İstanbul", "i̇stanbul"), ("STRASSE", "straße"), ("Ångström", "ÅNGSTRÖM"), ("ﬁn", "FIN")])
    def test_is_the_same_whatever_the_capitals(self, typed: str, same: str) -> None:
        assert spelling.key_of(typed) == spelling.key_of(f"  {same}\n")

    def test_tells_different_codes_apart(self) -> None:
        assert spelling.key_of("spring-1") != spelling.key_of("spring_1")


@pytest.mark.rule("M11")
class TestEdit:
    def test_changes_what_is_given(self, people: Personas) -> None:
        code = create(people, **PERCENT)
        changed = authoring.edit(promo_code_id=code.pk, by=people.as_bob, code="Autumn", basis_points=2500, max_uses=3)

        assert (now(code).code, now(code).key, now(code).worth, changed.max_uses) == ("Autumn", "autumn", "25 %", 3)
        entry = AuditEntry.objects.get(action="promo_code.edited")
        assert entry.before["basis_points"] == 2000

    def test_is_nothing_where_nothing_differs(self, people: Personas) -> None:
        code = create(people, **PERCENT)
        authoring.edit(promo_code_id=code.pk, by=people.as_alice, **PERCENT)
        assert not AuditEntry.objects.filter(action="promo_code.edited").exists()

    @pytest.mark.parametrize(
        "change", [{"code": "Other"}, {"basis_points": 1}, {"minimum_amount": 1, "currency": "USD"}, {"first_time_only": True}]
    )
    def test_leaves_what_people_used(self, people: Personas, change: dict[str, Any]) -> None:
        event = paid_event(organization=people.organization, host=people.alice)
        code = create(people, **PERCENT)
        register(event, promo_code="spring")

        with pytest.raises(authoring.CodeLocked) as refused:
            authoring.edit(promo_code_id=code.pk, by=people.as_alice, **change)
        assert set(change) <= set(refused.value.details["fields"])
        assert now(code).basis_points == 2000
        authoring.edit(promo_code_id=code.pk, by=people.as_alice, description="Still", max_uses=1)

    def test_never_allows_fewer_uses_than_there_are(self, people: Personas) -> None:
        event = paid_event(organization=people.organization, host=people.alice)
        code = create(people, **PERCENT)
        for _ in range(2):
            register(event, promo_code="spring")

        with pytest.raises(authoring.CodeLocked, match="used 2 times"):
            authoring.edit(promo_code_id=code.pk, by=people.as_alice, max_uses=1)
        with pytest.raises(IntegrityError, match="promo_code_not_overused"), transaction.atomic():
            PromoCode.objects.filter(pk=code.pk).update(max_uses=1)

    def test_is_not_for_strangers_and_not_of_archived_codes(self, people: Personas) -> None:
        code = create(people, **PERCENT)
        with pytest.raises(NotFound):
            authoring.edit(promo_code_id=code.pk, by=people.as_charlie, description="Mine")
        lifecycle.archive(promo_code_id=code.pk, by=people.as_alice)
        with pytest.raises(authoring.CodeLocked, match="archived"):
            authoring.edit(promo_code_id=code.pk, by=people.as_alice, description="Late")


class TestLifecycle:
    def test_goes_back_and_forth_until_it_is_archived(self, people: Personas) -> None:
        code = create(people, **PERCENT)
        assert lifecycle.pause(promo_code_id=code.pk, by=people.as_alice).state == "paused"
        assert lifecycle.resume(promo_code_id=code.pk, by=people.as_bob).state == "active"
        assert lifecycle.archive(promo_code_id=code.pk, by=people.as_alice).state == "archived"
        for move in (lifecycle.pause, lifecycle.resume, lifecycle.archive):
            with pytest.raises(TransitionNotAllowed):
                move(promo_code_id=code.pk, by=people.as_alice)
        actions = AuditEntry.objects.about(code).order_by("id").values_list("action", flat=True)
        assert list(actions) == ["promo_code.created", "promo_code.paused", "promo_code.resumed", "promo_code.archived"]

    def test_is_held_by_the_database(self, people: Personas) -> None:
        code = create(people, **PERCENT)
        lifecycle.archive(promo_code_id=code.pk, by=people.as_alice)
        with pytest.raises(IntegrityError, match="no move"), transaction.atomic():
            PromoCode.objects.filter(pk=code.pk).update(state="active")


class TestBelongings:
    def test_go_to_the_successor_and_are_archived_with_the_organization(self, people: Personas) -> None:
        code = create(people, **PERCENT)
        ids, belongings = {"organization_id": people.organization.pk}, PromoCodeBelongings()
        belongings.hand_over(**ids, from_user_id=people.alice.pk, to_user_id=people.bob.pk, by=people.as_alice)
        assert now(code).responsible_id == people.bob.pk
        belongings.archive(**ids, at=timezone.now() + timedelta(days=1), by=SYSTEM)
        assert now(code).state == "archived"
        tables = {table.name: list(table.rows) for table in belongings.export(**ids)}
        assert [row[:3] for row in tables["promo_codes"]] == [[code.public_id, "SPRING", "archived"]]
        assert tables["promo_code_redemptions"] == []


class TestDatabase:
    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"basis_points": 10_001}, "takes_something_off"),
            ({"basis_points": None}, "takes_something_off"),
            ({"amount": 5, "currency": "USD"}, "takes_something_off"),
            ({"kind": "fixed"}, "takes_something_off"),
            ({"currency": "USD"}, "currency_where_amounts"),
            ({"cap_amount": 100}, "currency_where_amounts"),
            ({"cap_amount": 0, "currency": "USD"}, "cap_positive"),
            ({"minimum_amount": 0, "currency": "USD"}, "minimum_positive"),
            ({"max_uses": 0}, "max_uses_positive"),
            ({"max_uses_per_person": 0}, "per_person_positive"),
            ({"starts_at": timezone.now(), "ends_at": timezone.now() - timedelta(1)}, "window"),
            ({"key": ""}, "has_key"),
        ],
    )
    def test_holds_the_same_rules(self, people: Personas, values: dict[str, Any], constraint: str) -> None:
        code = promo_code(people.organization)
        with pytest.raises(IntegrityError, match=f"promo_code_{constraint}"), transaction.atomic():
            PromoCode.objects.filter(pk=code.pk).update(**values)
