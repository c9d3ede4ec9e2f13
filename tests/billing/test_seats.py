"""Seats: how many an organization pays for, who takes one, what Stripe bills for them."""

from typing import Any

import pytest

from audit.actor import StaffGroup
from billing import plan_changes, seat_following, seat_prices, seat_standing, seat_submission, seats, trials
from billing.gateway.base import GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import Plan, SeatAccount, StripeCommand, Subscription
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from core.money import Money
from organizations import invitation_answers, invitation_links, invitations, members
from organizations.models import Invitation, Membership
from sandbox.stripe.server import Sandbox
from tests.billing.subscribers import ask, heard, pay
from tests.factories.people import Personas, UserFactory, actor, staff
from tests.factories.plans import plan

pytestmark = [pytest.mark.django_db, pytest.mark.gap("3.2")]


def invite(people: Personas, name: str = "ada", role: str = "organizer", *, buy: bool = False) -> Invitation:
    key, email = people.organization.pk, f"{name}@example.org"
    return invitations.invite(organization_id=key, email=email, role=role, by=people.as_alice, buy_seat=buy)


def account(people: Personas) -> SeatAccount:
    return SeatAccount.objects.get(organization=people.organization)


def at_stripe(made: Subscription) -> int:
    found = gateway().retrieve_subscription(made.stripe_subscription_id)
    return sum(found.quantities) - 1


def agree(people: Personas, made: Subscription, number: int) -> None:
    """What is counted, kept here, mirrored and billed at Stripe is one number."""
    row, mirrored = account(people), Subscription.objects.get(pk=made.pk)
    counted = max(row.bought, seat_standing.count(people.organization.pk) - 1)
    assert (counted, row.number, mirrored.seat_quantity, at_stripe(made), row.is_pushed) == (*[number] * 4, True)


@pytest.fixture
def team(sandbox: Sandbox, people: Personas, run_jobs: Any) -> Plan:
    SeatAccount.objects.filter(organization=people.organization).update(given=0)
    made = plan("Team", month=19_900, seat=12_900, audience="team", seats_included=1)
    run_jobs()
    return made


@pytest.fixture
def made(team: Plan, sandbox: Sandbox, people: Personas, webhooks: Any, run_jobs: Any) -> Subscription:
    """Alice and Bob work for the organization; one of them is included, one seat was bought in Checkout."""
    pay(sandbox, ask(people, "team"))
    sandbox.control.advance(5)
    heard(webhooks, run_jobs)
    return Subscription.objects.get()


class TestCheckout:
    def test_bills_the_people_who_are_there_already(self, people: Personas, made: Subscription) -> None:
        assert made.seat_quantity == 1
        agree(people, made, 1)
        assert not StripeCommand.objects.filter(operation="subscription.seats").exists()


class TestNumbers:
    def test_of_many_are_those_of_each(self, people: Personas, made: Subscription) -> None:
        invite(people, buy=True)
        seats.give(organization_id=people.elsewhere.pk, seats=3, reason="A partner", by=staff(StaffGroup.SUPPORT))
        keys = [people.organization.pk, people.elsewhere.pk]
        each = [seat_standing.of(key) for key in keys]

        assert seat_standing.numbers(keys) == {key: (one.used, one.included, one.billed) for key, one in zip(keys, each, strict=True)}
        assert (each[0].used, each[0].billed, each[1].included) == (3, 2, 4)


class TestPreview:
    def test_is_stripes_own_word_where_it_can_be_asked(self, people: Personas, made: Subscription, sandbox: Sandbox) -> None:
        key, provider = people.organization.pk, seats.Seats()
        asked = provider.preview(organization_id=key, role="organizer", outside=True)
        assert (asked.is_counted, asked.missing, asked.is_by_stripe, asked.per) == (True, 1, True, "month")
        assert asked.due_now is not None
        assert 12_800 < asked.due_now.amount <= 12_900
        assert asked.price is not None
        assert asked.price.amount == 12_900

        sandbox.control.fault("rate_limit", method="POST", path="/v1/invoices/create_preview")
        by_rule = provider.preview(organization_id=key, role="organizer", outside=True)
        assert (by_rule.is_by_stripe, by_rule.missing) == (False, 1)
        price = seat_standing.of(key).price
        assert price is not None
        assert seat_prices.ask(made, price, after=made.seat_quantity) == seat_prices.Share(Money(0, "USD"), by_stripe=True)

    def test_says_why_none_can_be_bought(self, people: Personas, team: Plan) -> None:
        key = people.organization.pk
        asked = seats.Seats().preview(organization_id=key, role="organizer", count=3)
        assert (asked.missing, asked.price) == (3, None)
        assert "choose a plan with seats first" in asked.why
        assert seats.Seats().preview(organization_id=key, role="instructor").is_counted is False
        with pytest.raises(LookupError):
            seats.share_of(seat_standing.of(key), more=1)


class TestFollowing:
    def test_tells_stripe_again_where_it_bills_another_number(self, people: Personas, made: Subscription) -> None:
        before = account(people)
        Subscription.objects.filter(pk=made.pk).update(seat_quantity=5)
        seat_following.follow(organization_id=people.organization.pk)
        assert account(people).version == before.version + 1
        assert str(before) == f"{before.used} used, {before.number} billed"

    def test_is_not_misled_by_an_answer_to_another_version(self, people: Personas, made: Subscription) -> None:
        before = account(people).pushed_version
        seat_submission.answered(organization_id=people.organization.pk, version=99)
        assert account(people).pushed_version == before
        assert seats.SeatsInUse(2).details == {"needed": 2}


class TestReserve:
    def test_refuses_without_consent_and_says_the_price(self, people: Personas, made: Subscription) -> None:
        with pytest.raises(seats.SeatLimitReached) as refused:
            invite(people)
        found = refused.value.details
        assert (found["used"], found["included"], found["bought"], found["interval"]) == (2, 1, 1, "month")
        assert found["price"] == {"amount": 12_900, "currency": "USD"}
        assert 12_800 < found["due_now"]["amount"] <= 12_900
        assert "129.00 USD a month" in str(refused.value)
        assert not Invitation.objects.exists()
        assert (account(people).used, account(people).number) == (2, 1)

    def test_buys_with_consent_and_stripe_hears_after_the_commit(
        self, people: Personas, made: Subscription, run_jobs: Any, sandbox: Sandbox
    ) -> None:
        invite(people, buy=True)
        assert (account(people).number, at_stripe(made)) == (2, 1)
        run_jobs()
        agree(people, made, 2)
        command = StripeCommand.objects.get(operation="subscription.seats")
        assert command.parameters["proration_behavior"] == "create_prorations"
        assert command.parameters["items"][0]["quantity"] == 2
        with sandbox.world.lock:
            assert len(sandbox.world.store.select("invoice", "", ())) == 1  # the first one; this change waits for the next

    def test_gives_instructors_none(self, people: Personas, made: Subscription, run_jobs: Any) -> None:
        invite(people, role="instructor")
        run_jobs()
        agree(people, made, 1)

    def test_counts_from_the_invitation_to_the_end(self, people: Personas, made: Subscription, run_jobs: Any) -> None:
        token = invitation_links.token(invite(people, buy=True))
        ada = UserFactory(email="ada@example.org")
        member = invitation_answers.accept(token=token, by=actor(ada))
        run_jobs()
        agree(people, made, 2)
        members.change_role(membership_id=member.pk, role="instructor", by=people.as_alice)
        run_jobs()
        agree(people, made, 1)
        with pytest.raises(seats.SeatLimitReached):
            members.change_role(membership_id=member.pk, role="course_manager", by=people.as_alice)
        members.change_role(membership_id=member.pk, role="course_manager", by=people.as_alice, buy_seat=True)
        members.change_role(membership_id=member.pk, role="organizer", by=people.as_alice)
        run_jobs()
        agree(people, made, 2)
        members.leave(organization_id=people.organization.pk, by=actor(ada))
        run_jobs()
        agree(people, made, 1)

    def test_is_let_go_by_every_end_of_an_invitation(self, people: Personas, made: Subscription, run_jobs: Any) -> None:
        invitations.revoke(invitation_id=invite(people, buy=True).pk, by=people.as_alice)
        invitation_answers.decline(token=invitation_links.token(invite(people, "ben", buy=True)), by=actor(UserFactory()))
        late = invite(people, "cleo", buy=True)
        Invitation.objects.filter(pk=late.pk).update(expires_at=late.sent_at)
        invitation_answers.expire_overdue()
        run_jobs()
        agree(people, made, 1)

    def test_of_a_removed_member_is_the_next_ones(self, people: Personas, made: Subscription, run_jobs: Any) -> None:
        seats.buy(organization_id=people.organization.pk, seats=2, by=people.as_alice)
        members.remove(membership_id=Membership.objects.get(user=people.bob).pk, by=people.as_alice)
        invite(people)
        invite(people, "ben")
        run_jobs()
        agree(people, made, 2)


class TestBuying:
    def test_keeps_seats_that_nobody_uses(self, people: Personas, made: Subscription, run_jobs: Any) -> None:
        key = people.organization.pk
        seats.buy(organization_id=key, seats=3, by=people.as_alice)
        run_jobs()
        agree(people, made, 3)
        invite(people)
        invite(people, "ben")
        with pytest.raises(seats.SeatsInUse):
            seats.lower(organization_id=key, seats=2, by=people.as_alice)
        invitations.revoke(invitation_id=Invitation.objects.get(email="ben@example.org").pk, by=people.as_alice)
        seats.lower(organization_id=key, seats=2, by=people.as_alice)
        run_jobs()
        agree(people, made, 2)

    def test_is_refused_in_one_sentence(self, people: Personas, made: Subscription) -> None:
        key = people.organization.pk
        for operation, number in ((seats.buy, 1), (seats.buy, -1), (seats.lower, 0), (seats.buy, seats.MOST + 1)):
            with pytest.raises(InvalidInput):
                operation(organization_id=key, seats=number, by=people.as_alice)
        with pytest.raises(PermissionRefused):
            seats.buy(organization_id=key, seats=5, by=people.as_bob)
        with pytest.raises(NotFound):
            seats.buy(organization_id=key, seats=5, by=people.as_charlie)
        assert (account(people).bought, account(people).number) == (0, 1)

    def test_the_last_one_lowered_takes_the_item_away(self, people: Personas, made: Subscription, run_jobs: Any) -> None:
        members.remove(membership_id=Membership.objects.get(user=people.bob).pk, by=people.as_alice)
        run_jobs()
        agree(people, made, 0)
        assert len(gateway().retrieve_subscription(made.stripe_subscription_id).item_ids) == 1
        invite(people, buy=True)
        run_jobs()
        agree(people, made, 1)


class TestWithoutASubscription:
    def test_one_person_works_for_it(self, people: Personas, team: Plan) -> None:
        with pytest.raises(seats.SeatLimitReached, match="choose a plan with seats first") as refused:
            invite(people, buy=True)
        assert refused.value.details["price"] is None
        with pytest.raises(seats.SeatsNotSold, match="choose a plan"):
            seats.buy(organization_id=people.organization.pk, seats=2, by=people.as_alice)

    def test_a_trial_has_some_for_nothing(self, people: Personas, team: Plan, settings: Any) -> None:
        try_plan(people, "team")
        settings.TRIAL_SEATS = 2
        invite(people)
        with pytest.raises(seats.SeatLimitReached, match="In the trial 3 people can have a seat"):
            invite(people, "ben", buy=True)
        assert account(people).number == 0

    def test_a_plan_for_one_has_none(self, people: Personas, team: Plan, run_jobs: Any) -> None:
        people.organization.kind = "personal"
        people.organization.save()
        plan("Solo")
        try_plan(people, "solo")
        with pytest.raises(seats.SeatLimitReached, match="Solo is for one person"):
            invite(people)

    def test_what_staff_give_costs_nothing(self, people: Personas, team: Plan) -> None:
        helper, key = staff(StaffGroup.SUPPORT), people.organization.pk
        for by, reason, refusal in (
            (people.as_alice, "x", PermissionRefused),
            (helper, " ", InvalidInput),
            (actor(UserFactory(staff_groups=["support"]), stepped_up=False), "x", StepUpRequired),
        ):
            with pytest.raises(refusal):
                seats.give(organization_id=key, seats=2, reason=reason, by=by)
        with pytest.raises(InvalidInput):
            seats.give(organization_id=key, seats=-1, reason="x", by=helper)
        seats.give(organization_id=key, seats=2, reason="Ticket 7", by=helper)
        invite(people)
        with pytest.raises(seats.SeatLimitReached):
            invite(people, "ben")

    def test_ended_bills_nothing(self, people: Personas, made: Subscription, webhooks: Any, run_jobs: Any, sandbox: Sandbox) -> None:
        seats.buy(organization_id=people.organization.pk, seats=4, by=people.as_alice)
        run_jobs()
        gateway().update_subscription(made.stripe_subscription_id, {"cancel_at_period_end": True}, key="k")
        sandbox.control.advance(32 * 86_400)
        heard(webhooks, run_jobs)
        row = account(people)
        assert (row.bought, row.number, row.is_pushed) == (0, 0, True)
        with pytest.raises(seats.SeatLimitReached, match="not paid for"):
            invite(people)


class TestPush:
    def test_of_many_changes_is_one_call(self, people: Personas, made: Subscription, run_jobs: Any) -> None:
        for name in ("ada", "ben", "cleo"):
            invite(people, name, buy=True)
        run_jobs()
        agree(people, made, 4)
        assert StripeCommand.objects.filter(operation="subscription.seats").count() == 1

    @pytest.mark.parametrize("fault", ["reset_after", "reset_before", "stored_500"])
    def test_whose_answer_was_lost_makes_nothing_twice(
        self, people: Personas, made: Subscription, sandbox: Sandbox, run_jobs: Any, fault: str
    ) -> None:
        invite(people, buy=True)
        sandbox.control.fault(fault, path="/v1/subscriptions", method="POST")
        with pytest.raises(GatewayUnknown):
            seat_submission.push(organization_id=people.organization.pk)
        invite(people, "ben", buy=True)
        run_jobs(delayed=True)
        agree(people, made, 3)
        waiting = sandbox.world.store.setting(f"waiting:{made.stripe_subscription_id}")
        assert sum(line["quantity"] * (1 if line["amount"] > 0 else -1) for line in waiting) == 2

    def test_that_stripe_refuses_is_kept_with_its_reason(
        self, people: Personas, made: Subscription, team: Plan, sandbox: Sandbox, run_jobs: Any
    ) -> None:
        invite(people, buy=True)
        gateway().update_subscription(made.stripe_subscription_id, {"cancel_at_period_end": True}, key="k")
        with sandbox.world.lock:
            found = sandbox.world.store.get("subscription", made.stripe_subscription_id)
            sandbox.world.store.save({**found, "status": "canceled"})
        run_jobs()
        row = account(people)
        assert (row.failure_reason != "", row.is_pushed, row.number) == (True, False, 2)

    def test_is_left_to_the_worker_that_has_it(self, people: Personas, made: Subscription) -> None:
        invite(people, buy=True)
        key = people.organization.pk
        assert seat_submission.claim(organization_id=key) is not None
        assert seat_submission.claim(organization_id=key) is None
        seat_submission.push(organization_id=key)
        assert at_stripe(made) == 1


class TestAnotherPlan:
    def test_takes_the_seats_along_at_its_own_price(self, people: Personas, made: Subscription, run_jobs: Any) -> None:
        large = plan("Large", month=29_900, seat=9_900, audience="team", seats_included=2)
        run_jobs()
        seats.buy(organization_id=people.organization.pk, seats=2, by=people.as_alice)
        run_jobs()
        plan_changes.change(subscription_id=made.pk, plan="large", interval="month", by=people.as_alice)
        run_jobs()
        now = Subscription.objects.select_related("price", "seat_price").get()
        assert (now.price.plan, now.seat_price.amount if now.seat_price else 0, at_stripe(made)) == (large, 9_900, 2)
        seats.lower(organization_id=people.organization.pk, seats=0, by=people.as_alice)
        run_jobs()
        assert (at_stripe(made), account(people).number) == (0, 0)


def try_plan(people: Personas, code: str) -> None:
    trials.start(organization_id=people.organization.pk, plan=code, by=people.as_alice)
