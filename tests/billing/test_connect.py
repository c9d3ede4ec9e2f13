"""The account of an organization: begun here, mirrored from Stripe's word, asked by publishing, taken away, made anew."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.actor import StaffGroup
from audit.models import AuditEntry
from billing import connect, payout_schedule, stripe_balances
from billing.gateway.base import Held
from billing.models import ConnectedAccount, PayoutRequest, StripeBalance
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from core.models import Job
from organizations.models import Organization
from tests.billing.test_payout_sync import hear, transferred
from tests.factories.accounts import account_answer, usable_account
from tests.factories.billing import SYSTEM, paid_payment
from tests.factories.organizations import OrganizationFactory
from tests.factories.payouts import approved_payout, earning_organization, read_balances
from tests.factories.people import actor, personas, staff

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.1")]


def opened(organization: Organization, **values: Any) -> ConnectedAccount:
    account = connect.begin(organization_id=organization.pk, by=SYSTEM)
    return connect.opened(account_id=account.pk, answer=account_answer(organization, **values), at=timezone.now(), by=SYSTEM)


class TestBegin:
    @pytest.mark.rule("M13")
    def test_takes_the_country_of_the_organization(self) -> None:
        people = personas(payouts_usable=False, country="DE")
        account = connect.begin(organization_id=people.organization.pk, by=people.as_alice)

        assert (account.country, account.state, account.stripe_key) == ("DE", "opening", f"account-{account.pk}-1")
        parameters = connect._parameters(account)
        assert parameters["country"] == "DE"
        assert parameters["settings"] == {"payouts": {"schedule": {"interval": "manual"}}}

    def test_makes_one_however_often_it_is_asked(self) -> None:
        organization = OrganizationFactory()
        first, second = (connect.begin(organization_id=organization.pk, by=SYSTEM) for _ in range(2))
        assert first.pk == second.pk
        assert AuditEntry.objects.filter(action="account.begun").count() == 1

    def test_is_for_admins_and_support(self) -> None:
        people = personas(payouts_usable=False)
        for by, error in [
            (people.as_bob, PermissionRefused),
            (people.as_charlie, NotFound),
            (staff(StaffGroup.FINANCE), PermissionRefused),
        ]:
            with pytest.raises(error):
                connect.begin(organization_id=people.organization.pk, by=by)
        assert not ConnectedAccount.objects.exists()
        assert connect.begin(organization_id=people.organization.pk, by=staff(StaffGroup.SUPPORT)).number == 1


class TestMirror:
    def test_keeps_what_stripe_says_and_tells_what_changed(self) -> None:
        organization = OrganizationFactory()
        account = opened(organization, payouts_enabled=False, requirements={"past_due": ["a"], "currently_due": ["b", "a"]})
        assert (account.is_usable, account.missing) == (False, ["a", "b"])

        answer = account_answer(organization, currencies=["USD", "EUR"])
        account = connect.sync(account_id=account.pk, answer=answer, at=timezone.now(), by=SYSTEM)
        assert (account.is_usable, account.missing, account.currencies) == (True, [], ["USD", "EUR"])
        last = AuditEntry.objects.filter(action="account.changed").order_by("-pk")[0]
        assert last.after == {"payouts_enabled": True, "currencies": ["USD", "EUR"]}

        connect.sync(account_id=account.pk, answer=answer, at=timezone.now(), by=SYSTEM)
        assert AuditEntry.objects.filter(action="account.changed").count() == 2

    def test_leaves_a_word_about_another_account_alone(self) -> None:
        organization = OrganizationFactory()
        account = opened(organization)
        answer = account_answer(organization, id="acct_other", payouts_enabled=False)
        assert connect.sync(account_id=account.pk, answer=answer, at=timezone.now(), by=SYSTEM).payouts_enabled

    def test_keeps_the_reading_that_began_later_whichever_answer_comes_first(self) -> None:
        organization = OrganizationFactory()
        account = opened(organization)
        earlier, later = connect.reading_begins(), connect.reading_begins()
        restricted = account_answer(organization, payouts_enabled=False)
        connect.sync(account_id=account.pk, answer=restricted, at=later, by=SYSTEM)
        told = AuditEntry.objects.filter(action="account.changed").count()

        account = connect.sync(account_id=account.pk, answer=account_answer(organization), at=earlier, by=SYSTEM)
        assert (account.payouts_enabled, account.synced_at) == (False, later)
        assert AuditEntry.objects.filter(action="account.changed").count() == told
        assert connect.sync(account_id=account.pk, answer=account_answer(organization), at=later, by=SYSTEM).payouts_enabled

    def test_answers_what_publishing_asks(self) -> None:
        organization = OrganizationFactory()
        assert not connect.usable_in(organization.pk, "USD")
        opened(organization, currencies=["USD"])

        assert connect.usable_in(organization.pk, "USD")
        assert not connect.usable_in(organization.pk, "EUR")
        assert not connect.usable_in(OrganizationFactory().pk, "USD")

    def test_is_not_asked_for_before_stripe_knows_it(self) -> None:
        account = connect.begin(organization_id=OrganizationFactory().pk, by=SYSTEM)
        assert connect.refresh(account_id=account.pk, by=SYSTEM).state == "opening"

    def test_keys_rise_once_for_two_who_ask_at_once(self) -> None:
        account = connect.begin(organization_id=OrganizationFactory().pk, by=SYSTEM)
        at = timezone.now()
        for moment in (at, at + timedelta(hours=1)):
            account = connect.started(account_id=account.pk, at=moment)
        assert account.opening_since == at
        for _ in range(2):
            account = connect.renewed(account_id=account.pk, given_up=1)
        assert (account.number, account.opening_since) == (2, None)


class TestDeauthorize:
    def test_makes_it_unusable_and_is_repeatable(self) -> None:
        organization = OrganizationFactory()
        account = opened(organization)
        for _ in range(2):
            connect.deauthorize(stripe_account_id=account.stripe_account_id or "", at=timezone.now(), by=SYSTEM)

        assert not connect.usable_in(organization.pk, "USD")
        assert AuditEntry.objects.filter(action="account.deauthorized").count() == 1
        assert connect.sync(account_id=account.pk, answer=account_answer(organization), at=timezone.now(), by=SYSTEM).is_usable is False

    def test_of_an_unknown_account_is_nothing(self) -> None:
        assert connect.deauthorize(stripe_account_id="acct_unknown", at=timezone.now(), by=SYSTEM) is None

    def test_lets_another_account_take_its_place(self) -> None:
        organization = OrganizationFactory(country="FR")
        account = opened(organization)
        connect.deauthorize(stripe_account_id=account.stripe_account_id or "", at=timezone.now(), by=SYSTEM)
        again = connect.begin(organization_id=organization.pk, by=SYSTEM)

        assert (again.pk, again.state, again.number, again.stripe_account_id, again.country) == (account.pk, "opening", 2, None, "FR")

    def test_but_not_while_the_books_hold_money_there(self) -> None:
        organization = earning_organization(amount=50_000)
        payout = transferred(approved_payout(organization))
        hear(payout, "failed")
        connect.deauthorize(stripe_account_id=payout.stripe_account_id, at=timezone.now(), by=SYSTEM)

        with pytest.raises(connect.MoneyLeftThere):
            connect.begin(organization_id=organization.pk, by=SYSTEM)


class TestSchedule:
    def test_is_chosen_by_who_may_ask_for_payouts(self) -> None:
        people = personas()
        account = people.organization.connected_account
        connect.set_schedule(account_id=account.pk, payout_schedule="monthly", by=people.as_alice)
        assert ConnectedAccount.objects.get(pk=account.pk).payout_schedule == "monthly"

        stale = actor(people.alice, organization=people.organization, stepped_up=False)
        for by, value, error in [
            (people.as_alice, "daily", InvalidInput),
            (people.as_charlie, "weekly", NotFound),
            (staff(StaffGroup.SUPPORT), "weekly", PermissionRefused),
            (stale, "weekly", StepUpRequired),
        ]:
            with pytest.raises(error):
                connect.set_schedule(account_id=account.pk, payout_schedule=value, by=by)
        assert ConnectedAccount.objects.get(pk=account.pk).payout_schedule == "monthly"

    def test_files_what_reaches_the_minimum_in_each_currency(self) -> None:
        organization = earning_organization(amount=50_000)
        paid_payment(amount=7000, currency="JPY", organization=organization)
        paid_payment(amount=500, currency="EUR", organization=organization)
        ConnectedAccount.objects.update(payout_schedule="weekly")
        monthly = earning_organization(amount=9000)
        ConnectedAccount.objects.filter(organization=monthly).update(payout_schedule="monthly")

        payout_schedule.file_weekly()
        for job in Job.objects.filter(name="billing.payout_schedule.file_one"):
            payout_schedule.file_one(account_id=job.ids["account_id"])
        found = PayoutRequest.objects.order_by("currency").values_list("currency", "amount", "source", "requested_by")
        assert list(found) == [("JPY", 7000, "schedule", None), ("USD", 50_000, "schedule", None)]

        Job.objects.all().delete()
        payout_schedule.file_monthly()
        assert [job.ids["account_id"] for job in Job.objects.all()] == [str(monthly.connected_account.pk)]

    def test_leaves_what_is_refused_for_the_next_time(self) -> None:
        organization = earning_organization(amount=50_000)
        account = usable_account(organization, payouts_enabled=False)
        payout_schedule.file_one(account_id=account.pk)
        assert not PayoutRequest.objects.exists()


class TestBalances:
    def test_keep_the_latest_reading_and_forget_currencies_that_are_gone(self) -> None:
        at = timezone.now()
        stripe_balances.store(account_id=None, found={"USD": Held(10, 1), "EUR": Held(5, 0)}, at=at)
        stripe_balances.store(account_id=None, found={"USD": Held(20, 2)}, at=at + timedelta(minutes=1))
        stripe_balances.store(account_id=None, found={"USD": Held(99, 9)}, at=at)

        found = StripeBalance.objects.order_by("currency").values_list("currency", "available", "pending")
        assert list(found) == [("EUR", 0, 0), ("USD", 20, 2)]

    def test_are_read_where_something_may_have_moved(self) -> None:
        quiet, busy, fresh = (usable_account(OrganizationFactory()) for _ in range(3))
        read_balances(available=0, account=quiet)
        read_balances(available=7, account=busy)
        stripe_balances.read_all()

        asked = [job.ids["account_id"] for job in Job.objects.filter(name="billing.stripe_balances.read")]
        assert set(asked) == {None, str(busy.pk), str(fresh.pk)}

    def test_are_not_asked_of_an_account_that_stripe_does_not_know(self) -> None:
        account = connect.begin(organization_id=OrganizationFactory().pk, by=SYSTEM)
        stripe_balances.read(account_id=account.pk)
        assert not StripeBalance.objects.exists()
