"""A live CPD activity with its sessions."""

from datetime import datetime
from decimal import Decimal

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from billing import refund_terms
from core.full_text import Words
from core.models import BaseModel
from core.money import CURRENCIES, Money
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from events import completion
from events.querysets import EventQuerySet, SessionQuerySet
from organizations.models import Organization


class Event(FSMModelMixin, BaseModel):
    """seats_taken is kept by a trigger on registrations (held and confirmed places); with its CHECK it is what decides about the last seat.

    price_amount: minor units of `currency`, 0 for a free event. Times are UTC; `time_zone` is the IANA zone they are shown in.
    """

    public_prefix = "evt"

    class State(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        LIVE = "live"
        COMPLETED = "completed"

    class Format(models.TextChoices):
        IN_PERSON = "in_person", "In person"
        ONLINE = "online", "Online"
        HYBRID = "hybrid", "Hybrid"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="events")
    host = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="hosted_events")
    title = models.CharField(max_length=200)
    slug = models.SlugField(max_length=120, unique=True)
    description = models.TextField(blank=True)
    state = StateField(choices=State.choices, default=State.DRAFT)
    format = models.CharField(max_length=10, choices=Format.choices, default=Format.ONLINE)
    venue = models.CharField(max_length=300, blank=True)
    country = models.CharField(max_length=2, blank=True, help_text="Where it takes place, for in-person tax; empty online.")
    online_url = models.URLField(max_length=2000, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    time_zone = models.CharField(max_length=64, default="UTC")
    capacity = models.PositiveIntegerField()
    seats_taken = models.PositiveIntegerField(default=0, editable=False)
    price_amount = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="USD")
    tax_category = models.CharField(max_length=30, default="standard")
    registration_opens_at = models.DateTimeField(null=True, blank=True)
    registration_closes_at = models.DateTimeField(null=True, blank=True)
    is_listed = models.BooleanField(default=True)
    guests_allowed = models.BooleanField(default=True)
    credit_type = models.CharField(max_length=60, blank=True)
    credits = models.DecimalField(max_digits=6, decimal_places=2, default=0)
    completion_rule = models.CharField(max_length=24, choices=completion.Rule.choices, default=completion.Rule.ALL_SESSIONS)
    completion_value = models.PositiveIntegerField(null=True, blank=True)
    credits_by_session = models.BooleanField(default=False)
    credit_hour_minutes = models.PositiveSmallIntegerField(default=60)
    credit_step = models.DecimalField(max_digits=3, decimal_places=2, default=Decimal("0.25"))
    credit_rounding = models.CharField(max_length=8, choices=completion.Rounding.choices, default=completion.Rounding.DOWN)
    refund_terms = models.JSONField(null=True, blank=True, help_text="Null: the platform's terms. Empty: no refunds.")
    published_at = models.DateTimeField(null=True, editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["starts_at", "id"], condition=Q(state__in=["published", "live"], is_listed=True), name="event_public"),
            models.Index(fields=["organization", "-starts_at"], name="event_organization"),
            GinIndex(Words("title"), name="event_words"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="event_ends_after_start"),
            models.CheckConstraint(condition=Q(capacity__gt=0), name="event_capacity_positive"),
            models.CheckConstraint(condition=Q(seats_taken__lte=F("capacity")), name="event_not_oversold"),
            models.CheckConstraint(condition=Q(price_amount__gte=0), name="event_price_not_negative"),
            models.CheckConstraint(condition=Q(currency__in=sorted(CURRENCIES)), name="event_currency_known"),
            models.CheckConstraint(condition=Q(credits__gte=0), name="event_credits_not_negative"),
            models.CheckConstraint(
                condition=Q(registration_opens_at=None)
                | Q(registration_closes_at=None)
                | Q(registration_closes_at__gt=F("registration_opens_at")),
                name="event_registration_closes_after_opening",
            ),
            models.CheckConstraint(
                condition=Q(completion_rule="all_sessions", completion_value=None)
                # a comparison with NULL is neither, and a check refuses only what is false
                | Q(completion_rule="percentage_of_sessions", completion_value__isnull=False, completion_value__range=(1, 100))
                | Q(completion_rule__in=["min_sessions_count", "total_minutes"], completion_value__isnull=False, completion_value__gte=1),
                name="event_completion_possible",
            ),
            models.CheckConstraint(
                condition=Q(credit_hour_minutes__in=completion.HOURS, credit_step__in=completion.STEPS)
                & Q(credit_rounding__in=completion.Rounding.values),
                name="event_credit_rule_known",
            ),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return self.title

    @property
    def price(self) -> Money:
        return Money(self.price_amount, self.currency)

    @property
    def is_paid(self) -> bool:
        return self.price_amount > 0

    @property
    def seats_left(self) -> int:
        return self.capacity - self.seats_taken

    @property
    def terms(self) -> list[dict[str, int]]:
        """The refund terms that a sale freezes: its own (none at all: no refunds), or the platform's where it has not chosen."""
        return list(refund_terms.DEFAULT_TERMS if self.refund_terms is None else self.refund_terms)

    @property
    def is_online(self) -> bool:
        return str(self.format) == self.Format.ONLINE

    @transition(field=state, source=State.DRAFT, target=State.PUBLISHED, operation="events.publishing.publish")
    def publish(self, *, at: datetime) -> None:
        self.published_at = at

    @transition(field=state, source=State.PUBLISHED, target=State.DRAFT, operation="events.publishing.unpublish")
    def unpublish(self) -> None:
        self.published_at = None

    @transition(field=state, source=State.PUBLISHED, target=State.LIVE, operation="events.clock.go_live")
    def go_live(self) -> None: ...

    @transition(field=state, source=[State.PUBLISHED, State.LIVE], target=State.COMPLETED, operation="events.clock.complete")
    def complete(self) -> None: ...


class Session(BaseModel):
    """One sitting of an event. It never counts where it is unpublished, cancelled or a recording.

    attendance_percent: how much of it one must attend for it to count; credits: what it gives where credits go by session, None for what
    its length gives.
    """

    public_prefix = "ses"

    class Kind(models.TextChoices):
        LIVE = "live", "Live"
        RECORDED = "recorded", "Recorded"

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="sessions")
    title = models.CharField(max_length=200)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    position = models.PositiveSmallIntegerField(default=0)
    is_mandatory = models.BooleanField(default=True)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.LIVE)
    is_published = models.BooleanField(default=True)
    is_cancelled = models.BooleanField(default=False)
    attendance_percent = models.PositiveSmallIntegerField(default=80)
    credits = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="session_ends_after_start"),
            models.CheckConstraint(condition=Q(attendance_percent__range=(0, 100)), name="session_percent_in_range"),
            models.CheckConstraint(condition=Q(credits=None) | Q(credits__gte=0), name="session_credits_not_negative"),
            models.CheckConstraint(condition=Q(kind__in=["live", "recorded"]), name="session_kind_known"),
        ]
        indexes = [models.Index(fields=["event", "starts_at"], name="session_event")]
        triggers = [  # its attendance was people's of this event
            pgtrigger.Protect(name="keeps_its_event", operation=pgtrigger.Update, condition=pgtrigger.AnyChange("event")),
        ]

    def __str__(self) -> str:
        return self.title
