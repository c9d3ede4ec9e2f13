"""The shapes of events, in and out. Everything here is public: no field of an organizer's own, no address of a meeting."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from ninja import Schema
from pydantic import StringConstraints

from events.models import Event
from public_api.pagination import Cursor, Limit
from public_api.shapes import Body, Country, Moment, MoneyOut, PromoCodeText, Text


class Order(StrEnum):
    SOONEST = "starts_at"
    LATEST = "-starts_at"


class Price(StrEnum):
    FREE = "free"
    PAID = "paid"


class Format(StrEnum):
    IN_PERSON = Event.Format.IN_PERSON.value
    ONLINE = Event.Format.ONLINE.value
    HYBRID = Event.Format.HYBRID.value


class Filters(Schema):
    """search: every word must occur in the title or the organizer's name. order: closed list; the cursor belongs to it."""

    search: Annotated[Text, StringConstraints(max_length=200)] = ""
    format: Format | None = None
    price: Price | None = None
    starts_after: Moment | None = None
    starts_before: Moment | None = None
    organization: Annotated[str, StringConstraints(max_length=80, pattern=r"^[\w-]+$")] | None = None
    order: Order = Order.SOONEST
    cursor: Cursor | None = None
    limit: Limit = 20


class OrganizerOut(Schema):
    id: str
    slug: str
    name: str


class CreditsOut(Schema):
    amount: str
    type: str


class EventOut(Schema):
    """places_left counts held places as taken; registration_open is what holds at this moment."""

    id: str
    slug: str
    title: str
    format: Format
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    price: MoneyOut
    credits: CreditsOut | None
    places_left: int
    registration_open: bool
    organization: OrganizerOut


class EventPage(Schema):
    items: list[EventOut]
    next: str | None


class SessionOut(Schema):
    id: str
    title: str
    starts_at: datetime
    ends_at: datetime
    is_mandatory: bool


class RefundTier(Schema):
    """percent of the price goes back until hours_before the start."""

    hours_before: int
    percent: int


class RefundPolicyOut(Schema):
    terms: list[RefundTier]
    text: str


class QuoteLineOut(Schema):
    """amount: minor units of the total's currency. included: tax that the price holds already, which adds nothing."""

    kind: str
    description: str
    amount: int
    included: bool


class QuoteOut(Schema):
    total: MoneyOut
    lines: list[QuoteLineOut]
    tax_note: str


class MyRegistrationOut(Schema):
    id: str
    state: str


class EventDetailOut(EventOut):
    """quote: for a buyer whose country is not known yet; null where the price cannot be charged."""

    state: str
    description: str
    venue: str
    country: str
    guests_allowed: bool
    registration_opens_at: datetime | None
    registration_closes_at: datetime | None
    sessions: list[SessionOut]
    refund_policy: RefundPolicyOut
    quote: QuoteOut | None
    my_registration: MyRegistrationOut | None


class QuoteIn(Body):
    """country: the buyer's, two letters; it decides the tax of an online event. promo_code: in any spelling; a line "discount" says what
    it takes off."""

    country: Country = ""
    promo_code: PromoCodeText = ""
