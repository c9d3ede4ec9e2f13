"""What is on offer in the demo: three organizations and one that nobody runs any more, what a sale costs, forty events."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.utils.text import slugify

from audit.actor import Actor
from billing.models import FeeSchedule, Plan, TaxRate
from billing.refund_terms import DEFAULT_TERMS
from config.demo.ids import key
from config.demo.people import ADMIN, EPOCH, FORMER, ORGANIZER, OTHER_ADMIN, OWNER
from entitlements import granting
from entitlements.periods import month_after
from events.models import Event, Session
from organizations.models import Membership, Organization, Role

RIVERSIDE, NORDLICHT, OSEI = (key(EPOCH, "organization", name) for name in ("riverside", "nordlicht", "osei"))
ORGANIZATIONS = (RIVERSIDE, NORDLICHT, OSEI)
DESERTED = key(EPOCH, "organization", "harbor")
BY = Actor.system("demo.seed")
AGE = timedelta(days=420)  # how long before the anchor the organizations began
_PLACES = {
    "America/New_York": ("US", "Harbor Conference Center, 12 Pier Road, Boston"),
    "America/Los_Angeles": ("US", "Mission Hall, 88 Valencia Street, San Francisco"),
    "Europe/Berlin": ("DE", "Haus der Ärzte, Lindenstraße 4, Berlin"),
    "Asia/Tokyo": ("JP", "Shinjuku Learning Center, 2-1 Nishi-Shinjuku, Tokyo"),
    "Asia/Kuwait": ("KW", "Gulf Medical Forum, Arabian Gulf Street, Kuwait City"),
}
_NY, _LA, _BERLIN, _TOKYO, _KUWAIT = _PLACES


@dataclass(frozen=True, slots=True)
class Offer:
    """One event. day: of its start, from the anchor; price: minor units; weight: its share of all registrations, 0 for a draft."""

    title: str
    organization_id: UUID
    zone: str
    day: int
    price: int
    currency: str
    weight: int
    sold_out: bool = False


OFFERS = (
    Offer("Airway Management for Emergency Teams", RIVERSIDE, _NY, -310, 24900, "USD", 9),
    Offer("Chart Review: Sepsis in the First Hour", RIVERSIDE, _LA, -290, 0, "USD", 7),
    Offer("Pediatric Advanced Life Support", RIVERSIDE, _NY, -260, 32900, "USD", 10),
    Offer("Ethik in der Intensivmedizin", NORDLICHT, _BERLIN, -240, 14900, "EUR", 8),
    Offer("Opioid Stewardship Update", RIVERSIDE, _LA, -210, 9900, "USD", 9),
    Offer("循環器エコー入門", NORDLICHT, _TOKYO, -190, 32000, "JPY", 8),
    Offer("Wound Care Masterclass", OSEI, _NY, -180, 7900, "USD", 5),
    Offer("Sonographie-Grundkurs Abdomen", NORDLICHT, _BERLIN, -170, 39900, "EUR", 8),
    Offer("Gulf Diabetes Day", NORDLICHT, _KUWAIT, -160, 45500, "KWD", 6),
    Offer("Reading the ECG Without Fear", OSEI, _NY, -150, 4900, "USD", 8),
    Offer("Infection Control for Small Practices", RIVERSIDE, _LA, -140, 0, "USD", 9),
    Offer("Schmerztherapie kompakt", NORDLICHT, _BERLIN, -120, 19900, "EUR", 7),
    Offer("Perinatal Mental Health", RIVERSIDE, _NY, -110, 12900, "USD", 8),
    Offer("救急トリアージ演習", NORDLICHT, _TOKYO, -100, 28000, "JPY", 6),
    Offer("Advanced Trauma Weekend", RIVERSIDE, _LA, -90, 64900, "USD", 7),
    Offer("Teaching on the Ward Round", OSEI, _NY, -80, 0, "USD", 6),
    Offer("Arzneimittelsicherheit 65+", NORDLICHT, _BERLIN, -70, 9900, "EUR", 8),
    Offer("Cardiology Board Review", RIVERSIDE, _NY, -60, 44900, "USD", 9),
    Offer("Family Medicine Forum Kuwait", NORDLICHT, _KUWAIT, -45, 38000, "KWD", 6),
    Offer("Stroke Pathways in Rural Hospitals", RIVERSIDE, _LA, -35, 15900, "USD", 7),
    Offer("Notfälle in der Hausarztpraxis", NORDLICHT, _BERLIN, -25, 17900, "EUR", 8),
    Offer("Difficult Conversations", OSEI, _NY, -15, 5900, "USD", 6),
    Offer("Nursing Leadership Day", RIVERSIDE, _NY, -6, 13900, "USD", 7),
    Offer("Antibiotic Rounds, Live", RIVERSIDE, _LA, 0, 0, "USD", 6),
    Offer("Acute Care Simulation Day", RIVERSIDE, _NY, 9, 27900, "USD", 9),
    Offer("Lungensonographie am Bett", NORDLICHT, _BERLIN, 12, 24900, "EUR", 8),
    Offer("Basic Life Support Refresher", OSEI, _NY, 15, 3900, "USD", 6),
    Offer("糖尿病フットケア", NORDLICHT, _TOKYO, 20, 68000, "JPY", 6),
    Offer("Rural Medicine Grand Rounds", RIVERSIDE, _LA, 24, 0, "USD", 8),
    Offer("Advanced Cardiac Life Support", RIVERSIDE, _NY, 30, 59900, "USD", 9, sold_out=True),
    Offer("Palliativmedizin: Basiskurs", NORDLICHT, _BERLIN, 38, 44900, "EUR", 7),
    Offer("Primary Care Update Kuwait", NORDLICHT, _KUWAIT, 45, 160500, "KWD", 5),
    Offer("Suture Lab", OSEI, _NY, 50, 11900, "USD", 4, sold_out=True),
    Offer("Telehealth Done Well", RIVERSIDE, _LA, 60, 8900, "USD", 7),
    Offer("Kinder-EKG lesen", NORDLICHT, _BERLIN, 75, 12900, "EUR", 5, sold_out=True),
    Offer("Geriatrics Intensive", RIVERSIDE, _NY, 90, 34900, "USD", 5),
    Offer("臨床研究デザイン", NORDLICHT, _TOKYO, 110, 24000, "JPY", 4),
    Offer("Women's Health Symposium", RIVERSIDE, _LA, 130, 19900, "USD", 4),
    Offer("Ultrasound-Guided Access", RIVERSIDE, _NY, 150, 29900, "USD", 0),
    Offer("Hygiene-Update", NORDLICHT, _BERLIN, 160, 0, "EUR", 0),
)  # fmt: skip


def organization_rows(anchor: datetime) -> list[Organization]:
    """Their created_at keeps the anchor: a later seed reads it back, so that nothing moves."""
    since = anchor - AGE
    common = {"created_at": since, "updated_at": since}
    return [
        Organization(id=RIVERSIDE, name="Riverside Medical Education", slug="riverside", country="US", organizer_scope="own", **common),
        Organization(
            id=NORDLICHT,
            name="Nordlicht Akademie",
            slug="nordlicht",
            country="DE",
            refund_fee_policy="organizer",
            refund_approval_limits={"EUR": 30_000, "KWD": 100_000},
            **common,
        ),
        Organization(id=OSEI, name="Dr. Amara Osei", slug="amara-osei", kind="personal", country="US", **common),
        Organization(id=DESERTED, name="Harbor Dental Seminars", slug="harbor", country="US", **common),
    ]


def give_plans(anchor: datetime) -> None:
    """What the two teams may do; their month began at the anchor."""
    for organization_id, code in ((RIVERSIDE, "organization"), (NORDLICHT, "organization")):
        limits = Plan.objects.get(code=code).limits
        period = granting.Period(anchor, month_after(anchor))
        granting.give(organization_id=organization_id, plan=code, access="active", limits=limits, period=period, by=BY)


def membership_rows(anchor: datetime) -> list[Membership]:
    since = anchor - AGE
    roles = [(RIVERSIDE, ADMIN.email, Role.ADMIN), (RIVERSIDE, ORGANIZER.email, Role.ORGANIZER), (NORDLICHT, OTHER_ADMIN.email, Role.ADMIN)]
    roles += [(OSEI, OWNER.email, Role.ADMIN), (DESERTED, FORMER, Role.ADMIN)]
    return [
        Membership(
            id=key(EPOCH, "membership", email),
            organization_id=organization_id,
            user_id=key(EPOCH, "user", email),
            role=role,
            created_at=since,
            updated_at=since,
        )
        for organization_id, email, role in roles
    ]


def fee_rows(anchor: datetime) -> list[FeeSchedule]:
    """The platform's fees for each currency; Nordlicht pays its own, out of the price."""
    since = anchor - AGE
    platform = {"USD": (99, 30), "EUR": (99, 25), "JPY": (100, 30), "KWD": (300, 100)}
    rows = [
        FeeSchedule(
            id=key(EPOCH, "fee", currency),
            currency=currency,
            service_basis_points=250,
            service_fixed=service,
            processing_basis_points=290,
            processing_fixed=processing,
            created_at=since,
            updated_at=since,
        )
        for currency, (service, processing) in platform.items()
    ]
    own = {"service_basis_points": 300, "processing_basis_points": 290, "payer": FeeSchedule.Payer.ORGANIZER}
    rows.append(FeeSchedule(id=key(EPOCH, "fee", "nordlicht"), organization_id=NORDLICHT, created_at=since, updated_at=since, **own))
    return rows


def tax_rows(anchor: datetime) -> list[TaxRate]:
    since = anchor - AGE
    rates = [("DE", "Umsatzsteuer", 1900, True), ("JP", "Consumption tax", 1000, False), ("GB", "VAT", 2000, False)]
    return [
        TaxRate(
            id=key(EPOCH, "tax", jurisdiction),
            jurisdiction=jurisdiction,
            name=name,
            basis_points=points,
            inclusive=inclusive,
            starts_on=date(2020, 1, 1),
            created_at=since,
            updated_at=since,
        )
        for jurisdiction, name, points, inclusive in rates
    ]


def event_rows(anchor: datetime) -> list[Event]:
    """The events as drafts, in the order of OFFERS; their capacity is set once it is known how many come."""
    return [_event(number, offer, anchor) for number, offer in enumerate(OFFERS)]


def _event(number: int, offer: Offer, anchor: datetime) -> Event:
    starts_at = anchor + timedelta(days=offer.day, hours=0 if offer.day == 0 else 8 + number % 9)
    ends_at = starts_at + timedelta(hours=23 if offer.day == 0 else 2 + number % 6)
    created_at = min(starts_at, anchor) - timedelta(days=100, minutes=number)
    form = list(Event.Format)[number % 3]
    country, venue = _PLACES[offer.zone]
    hosts = {RIVERSIDE: (ADMIN, ORGANIZER), NORDLICHT: (OTHER_ADMIN,), OSEI: (OWNER,)}[offer.organization_id]
    return Event(
        id=key(created_at, "event", number),
        organization_id=offer.organization_id,
        host_id=hosts[number % len(hosts)].user_id,
        title=offer.title,
        slug=f"{slugify(offer.title) or 'event'}-{number + 1}",
        description=f"{offer.title}: small groups, cases from practice, time for questions. Bring what happened to you last week.",
        format=form,
        venue="" if form == Event.Format.ONLINE else venue,
        country="" if form == Event.Format.ONLINE else country,
        online_url="" if form == Event.Format.IN_PERSON else f"https://meet.example/{number + 1}",
        starts_at=starts_at,
        ends_at=ends_at,
        time_zone=offer.zone,
        capacity=20,
        price_amount=offer.price,
        currency=offer.currency,
        credit_type="CME",
        credits=2 + number % 6,
        refund_terms=DEFAULT_TERMS,
        published_at=None if not offer.weight else created_at + timedelta(days=1),
        created_at=created_at,
        updated_at=created_at,
    )


def session_rows(events: list[Event]) -> list[Session]:
    return [
        Session(
            id=key(event.created_at, "session", event.pk),
            event=event,
            title="Session 1",
            starts_at=event.starts_at,
            ends_at=event.ends_at,
            created_at=event.created_at,
            updated_at=event.created_at,
        )
        for event in events
    ]
