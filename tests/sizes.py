"""How large the races, faults and property tests are: small in `make test`, the promised sizes in `make soak` (SOAK=1). The one table."""

import os
from dataclasses import dataclass

SOAK = os.environ.get("SOAK") == "1"


@dataclass(frozen=True, slots=True)
class Sizes:
    registrations: int  # concurrent requests for `seats`
    seats: int
    registration_rounds: int
    promo_registrations: int  # concurrent, in this process, for `seats` with a code of `promo_uses`
    promo_uses: int
    refunds: int  # concurrent refunds of one payment
    approvers: int
    kills: int  # kill -9 of the worker, each at another moment
    payout_kills: int  # steps of a payout at which the worker is killed
    lost_answers: int  # ways in which the answer to a change of a subscription is lost
    hypothesis_examples: int
    state_machine_examples: int
    state_machine_steps: int
    seat_histories: int  # months of random changes, each compared with the invoice at its end
    trade_examples: int
    trade_steps: int
    subscription_examples: int
    subscription_steps: int
    every_night: bool  # of a trial and what follows it, not only those in which something happens
    recorded_days: int  # days at Stripe, each told in `tellings` orders
    day_events: int  # webhooks of a day, at least
    tellings: int
    schemathesis_examples: int
    bulk_rows: int
    bulk_fault_rows: int  # refunds of a bulk run whose worker is killed; each is paid and refunded at Stripe's stand-in
    bulk_refunds: int  # payments of one bulk refund that is watched, killed and gone on with
    list_rows: int
    audit_entries: int
    whole_pages: bool  # axe-core looks at each screen in a page of its own


SMALL = Sizes(
    registrations=40,
    seats=10,
    registration_rounds=1,
    promo_registrations=16,
    promo_uses=4,
    refunds=10,
    approvers=4,
    kills=1,
    payout_kills=3,
    lost_answers=2,
    hypothesis_examples=50,
    state_machine_examples=8,
    state_machine_steps=15,
    seat_histories=5,
    trade_examples=6,
    trade_steps=16,
    subscription_examples=8,
    subscription_steps=25,
    every_night=False,
    recorded_days=1,
    day_events=40,
    tellings=4,
    schemathesis_examples=15,
    bulk_rows=120,
    bulk_fault_rows=4,
    bulk_refunds=60,
    list_rows=2_000,
    audit_entries=8_000,
    whole_pages=False,
)
LARGE = Sizes(
    registrations=200,
    seats=50,
    registration_rounds=3,
    promo_registrations=200,
    promo_uses=20,
    refunds=20,
    approvers=8,
    kills=12,
    payout_kills=10,
    lost_answers=5,
    hypothesis_examples=1_000,
    state_machine_examples=150,
    state_machine_steps=40,
    seat_histories=1_000,
    trade_examples=150,
    trade_steps=50,
    subscription_examples=300,
    subscription_steps=60,
    every_night=True,
    recorded_days=2,
    day_events=500,
    tellings=8,
    schemathesis_examples=150,
    bulk_rows=10_000,
    bulk_fault_rows=40,
    bulk_refunds=5_000,
    list_rows=100_000,
    audit_entries=1_000_000,
    whole_pages=True,
)
SIZES = LARGE if SOAK else SMALL
