"""Events walk through their transitions; none is made in a later state."""

from datetime import timedelta
from typing import Any

import factory
from django.utils import timezone

from events.models import Event, Session
from tests.factories.organizations import MembershipFactory, OrganizationFactory


class DraftEventFactory(factory.django.DjangoModelFactory[Event]):
    """A draft that passes the checklist: online, free, in 30 days, two hours with one session, hosted by an admin of its organization."""

    class Meta:
        model = Event
        skip_postgeneration_save = True

    organization = factory.SubFactory(OrganizationFactory)
    host = factory.LazyAttribute(lambda event: MembershipFactory(organization=event.organization).user)
    title = factory.Sequence(lambda n: f"Ethics in practice {n}")
    slug = factory.Sequence(lambda n: f"ethics-in-practice-{n}")
    online_url = "https://meet.example.org/room"
    starts_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=30))
    ends_at = factory.LazyAttribute(lambda event: event.starts_at + timedelta(hours=2))
    time_zone = "Europe/Berlin"
    capacity = 10

    @factory.post_generation
    def session(self: Any, create: bool, extracted: Any, **values: Any) -> None:
        if create and extracted is not False:
            SessionFactory(event=self, **values)


class EventFactory(DraftEventFactory):
    """Published."""

    @classmethod
    def _after_postgeneration(cls, instance: Event, create: bool, results: dict[str, Any] | None = None) -> None:
        super()._after_postgeneration(instance, create, results)
        instance.publish(at=timezone.now())
        instance.save(update_fields=["state", "published_at", "updated_at"])


class SessionFactory(factory.django.DjangoModelFactory[Session]):
    class Meta:
        model = Session

    event = factory.SubFactory(DraftEventFactory)
    title = "First session"
    starts_at = factory.LazyAttribute(lambda session: session.event.starts_at)
    ends_at = factory.LazyAttribute(lambda session: session.starts_at + timedelta(hours=1))
