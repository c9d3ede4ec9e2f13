"""The keys in guests' links."""

import pytest

from audit.actor import Actor
from core.errors import NotFound
from registrations import guest_links
from registrations.models import Registration
from tests.factories.events import EventFactory
from tests.factories.people import UserFactory
from tests.factories.registrations import current, register


@pytest.mark.django_db
class TestActorForKey:
    def test_opens_the_one_place_and_no_other(self) -> None:
        event = EventFactory()
        given, other = register(event), register(event)
        by = guest_links.actor_for_key(registration_id=given.registration.pk, key=given.guest_key or "", ip="127.0.0.1")

        assert by == Actor.guest(given.registration.pk, ip="127.0.0.1")
        assert list(Registration.objects.visible_to(by)) == [given.registration]
        with pytest.raises(NotFound):
            guest_links.actor_for_key(registration_id=other.registration.pk, key=given.guest_key or "")

    def test_refuses_every_other_key_as_it_refuses_an_unknown_place(self) -> None:
        given = register(EventFactory())
        key = given.guest_key or ""
        for wrong in ("", key[:-1], key + "x", key.lower(), guest_links.confirm_key(given.registration.pk), "ü" * 20, "x" * 1_000_000):
            with pytest.raises(NotFound) as refused:
                guest_links.actor_for_key(registration_id=given.registration.pk, key=wrong)
            assert str(refused.value) == "This registration does not exist, or you may not see it."

    def test_refuses_any_key_of_a_place_with_an_account(self) -> None:
        place = register(EventFactory(), UserFactory()).registration
        for key in ("", guest_links.manage_key(place.pk)):
            with pytest.raises(NotFound):
                guest_links.actor_for_key(registration_id=place.pk, key=key)

    def test_stores_only_a_hash(self) -> None:
        given = register(EventFactory())

        assert current(given.registration).guest_key_hash == guest_links.stored_hash(given.guest_key or "")
        assert len(given.guest_key or "") == 43

    def test_keeps_links_working_when_the_sites_secret_is_changed(self, settings) -> None:
        given = register(EventFactory())
        settings.SECRET_KEY = "another-" * 10

        assert guest_links.manage_key(given.registration.pk) != given.guest_key
        assert guest_links.actor_for_key(registration_id=given.registration.pk, key=given.guest_key or "").guest_of == given.registration.pk


@pytest.mark.django_db
class TestUrls:
    def test_carry_a_key_for_guests_only(self, settings) -> None:
        settings.BASE_URL = "https://cpd.example"
        given, users = register(EventFactory()), register(EventFactory(), UserFactory()).registration
        place = given.registration

        assert guest_links.manage_url(place) == f"https://cpd.example/registrations/{place.public_id}?key={given.guest_key}"
        assert guest_links.manage_url(users) == f"https://cpd.example/registrations/{users.public_id}"
        assert guest_links.confirm_key(place.pk) in guest_links.confirm_url(place)
