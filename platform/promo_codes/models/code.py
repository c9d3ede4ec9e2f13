"""A promo code of an organization: what it takes off, where, when, and how often."""

from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from core.full_text import Words
from core.models import BaseModel
from core.money import CURRENCIES, Money
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from organizations.models import Organization
from promo_codes.querysets import PromoCodeQuerySet


def _at_least_one(name: str) -> Q:
    return Q(**{name: None}) | Q(**{f"{name}__gte": 1})


class PromoCode(FSMModelMixin, BaseModel):
    """code: as it was written; key: the spelling that is compared (promo_codes.spelling), unique in its organization.

    basis_points: of a percent code, 1 to 10,000. amount: what a fixed one takes off; cap_amount: the most that a percent one takes off;
    minimum_amount: the least price that it works for; all minor units of `currency`, which is empty where none of them is set.
    subjects: typed public ids of what it is limited to (evt_…); none: everything of the organization. max_uses, max_uses_per_person:
    None is no limit. uses: redemptions that count, kept by a trigger on them; with its CHECK it is what decides about the last use.
    responsible: whose it is among the organization's members, the one who made it.
    """

    public_prefix = "prm"

    class State(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"
        ARCHIVED = "archived"

    class Kind(models.TextChoices):
        PERCENT = "percent", "Percent"
        FIXED = "fixed", "Fixed amount"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="promo_codes")
    responsible = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=40)
    key = models.CharField(max_length=80, editable=False)
    description = models.CharField(max_length=200, blank=True)
    state = StateField(choices=State.choices, default=State.ACTIVE)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PERCENT)
    basis_points = models.PositiveIntegerField(null=True, blank=True)
    amount = models.BigIntegerField(null=True, blank=True)
    cap_amount = models.BigIntegerField(null=True, blank=True)
    minimum_amount = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    max_uses = models.PositiveIntegerField(null=True, blank=True)
    max_uses_per_person = models.PositiveIntegerField(null=True, blank=True)
    first_time_only = models.BooleanField(default=False)
    subjects = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    uses = models.PositiveIntegerField(default=0, editable=False)

    objects = PromoCodeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="promo_code_once"),
            models.CheckConstraint(condition=~Q(key=""), name="promo_code_has_key"),
            models.CheckConstraint(
                condition=Q(kind="percent", basis_points__isnull=False, basis_points__gte=1, basis_points__lte=10_000, amount=None)
                | Q(kind="fixed", amount__isnull=False, amount__gte=1, basis_points=None, cap_amount=None),
                name="promo_code_takes_something_off",
            ),
            models.CheckConstraint(condition=_at_least_one("cap_amount"), name="promo_code_cap_positive"),
            models.CheckConstraint(condition=_at_least_one("minimum_amount"), name="promo_code_minimum_positive"),
            models.CheckConstraint(
                condition=Q(amount=None, cap_amount=None, minimum_amount=None, currency="")
                | (~Q(amount=None, cap_amount=None, minimum_amount=None) & Q(currency__in=sorted(CURRENCIES))),
                name="promo_code_currency_where_amounts",
            ),
            models.CheckConstraint(condition=Q(starts_at=None) | Q(ends_at=None) | Q(ends_at__gt=F("starts_at")), name="promo_code_window"),
            models.CheckConstraint(condition=_at_least_one("max_uses"), name="promo_code_max_uses_positive"),
            models.CheckConstraint(condition=_at_least_one("max_uses_per_person"), name="promo_code_per_person_positive"),
            models.CheckConstraint(condition=Q(max_uses=None) | Q(uses__lte=F("max_uses")), name="promo_code_not_overused"),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="promo_code_organization"),
            models.Index(fields=["state", "-id"], name="promo_code_state"),
            GinIndex(Words("code", "description"), name="promo_code_words"),
        ]
        triggers = [StateMachine()]

    def __str__(self) -> str:
        return self.code

    @property
    def is_used_up(self) -> bool:
        return self.max_uses is not None and self.uses >= self.max_uses

    @property
    def is_per_person(self) -> bool:
        """Whether it has to know who the buyer is."""
        return self.first_time_only or self.max_uses_per_person is not None

    @property
    def worth(self) -> str:
        """ "20 %", "20 %, at most 50.00 USD", "15.00 EUR"."""
        if self.amount is not None:
            return str(Money(self.amount, self.currency))
        percent = f"{(self.basis_points or 0) / 100:g} %"
        return percent if self.cap_amount is None else f"{percent}, at most {Money(self.cap_amount, self.currency)}"

    def has_begun(self, at: datetime) -> bool:
        return self.starts_at is None or self.starts_at <= at

    def has_ended(self, at: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= at

    @transition(field=state, source=State.ACTIVE, target=State.PAUSED, operation="promo_codes.lifecycle.pause")
    def pause(self) -> None:
        """Nobody can use it; what is reserved or consumed stays."""

    @transition(field=state, source=State.PAUSED, target=State.ACTIVE, operation="promo_codes.lifecycle.resume")
    def resume(self) -> None: ...

    @transition(field=state, source=[State.ACTIVE, State.PAUSED], target=State.ARCHIVED, operation="promo_codes.lifecycle.archive")
    def archive(self) -> None:
        """For good; its spelling stays taken, since past sales name it."""
