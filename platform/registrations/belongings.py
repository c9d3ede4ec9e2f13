"""What people's places mean for closing an organization: the answer to organizations.belongings."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.actor import Actor
from core.public_ids import encode
from events.models import Event
from organizations.belongings import Blocker, Held, Table
from registrations.models import Registration, Verdict

_COLUMNS = ("id", "event_id", "name", "email", "state", "created_at", "confirmed_at", "cancelled_at")

_EARNED = ("registration_id", "is_eligible", "credits", "sessions_counted", "minutes", "reasons")


class RegistrationBelongings:
    """Places belong to events: events.belongings says who answers for them, and whether any is still ahead."""

    def held(self, *, organization_id: UUID, user_id: UUID) -> list[Held]:
        return []

    def hand_over(self, *, organization_id: UUID, from_user_id: UUID, to_user_id: UUID, by: Actor) -> None:
        """With their event."""

    def blockers(self, *, organization_id: UUID, at: datetime) -> list[Blocker]:
        """A place that is held for a payment: the money may still arrive."""
        held = Registration.objects.filter(event__organization_id=organization_id, state=Registration.State.PENDING)
        count = held.exclude(payment=None).count()
        return [Blocker("places_held", f"{Held('places', count)} still held for payment: wait until paid or let go.")] if count else []

    def archive(self, *, organization_id: UUID, at: datetime, by: Actor) -> None:
        """People keep what they have, and see it."""

    def export(self, *, organization_id: UUID) -> list[Table]:
        return [Table("registrations", _COLUMNS, _rows(organization_id)), Table("attendance", _EARNED, _earned(organization_id))]


def _rows(organization_id: UUID) -> Iterator[Sequence[Any]]:
    rows = Registration.objects.filter(event__organization_id=organization_id).order_by("pk").values_list(*_COLUMNS)
    for key, event_id, *rest in rows.iterator(chunk_size=2_000):
        yield [encode(Registration.public_prefix, key), encode(Event.public_prefix, event_id), *rest]


def _earned(organization_id: UUID) -> Iterator[Sequence[Any]]:
    rows = Verdict.objects.filter(event__organization_id=organization_id).order_by("pk").values_list(*_EARNED)
    for key, *outcome, reasons in rows.iterator(chunk_size=2_000):
        yield [encode(Registration.public_prefix, key), *outcome, " ".join(reasons)]
