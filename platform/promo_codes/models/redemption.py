"""One use of a promo code."""

from datetime import datetime

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from core.models import BaseModel
from core.money import CURRENCIES, Money
from core.state_machine import FSMModelMixin, StateField, StateMachine, transition
from promo_codes.models.code import PromoCode
from promo_codes.querysets import RedemptionQuerySet

COUNTS = ("reserved", "consumed")
_IN = ", ".join(f"'{state}'" for state in COUNTS)
# The code's row first: whoever else uses the code waits there, so that the count of the person's uses below is of committed rows.
_COUNT_USES = f"""
    IF TG_OP = 'UPDATE' AND NEW.code_id <> OLD.code_id THEN
        RAISE EXCEPTION 'a redemption stays with its code' USING ERRCODE = 'check_violation', CONSTRAINT = 'promo_redemption_code';
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state IN ({_IN}) AND NEW.state NOT IN ({_IN}) THEN
        UPDATE promo_codes_promocode SET uses = uses - 1 WHERE id = OLD.code_id;
    END IF;
    IF NEW.state IN ({_IN}) AND (TG_OP = 'INSERT' OR OLD.state NOT IN ({_IN})) THEN
        UPDATE promo_codes_promocode SET uses = uses + 1 WHERE id = NEW.code_id;
        IF EXISTS (
            SELECT FROM promo_codes_promocode AS code WHERE code.id = NEW.code_id AND code.max_uses_per_person < (
                SELECT count(*) FROM promo_codes_redemption AS mine
                WHERE mine.code_id = NEW.code_id AND mine.state IN ({_IN})
                AND (lower(mine.email) = lower(NEW.email) OR mine.user_id = NEW.user_id)
            )
        ) THEN
            RAISE EXCEPTION 'this person has used the code as often as one may'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'promo_code_not_overused_by_person';
        END IF;
    END IF;
    RETURN NULL;
"""


class Redemption(FSMModelMixin, BaseModel):
    """reserved: somebody holds a place at this price; consumed: it is theirs; released: it does not count any more. Never deleted.

    subject, group: opaque public ids of what was bought with it (reg_…) and of what that is a place at (evt_…). price, amount: minor
    units of `currency`: the list price, and what was taken off it; they never change.
    """

    public_prefix = "rdm"

    class State(models.TextChoices):
        RESERVED = "reserved"
        CONSUMED = "consumed"
        RELEASED = "released"

    code = models.ForeignKey(PromoCode, on_delete=models.PROTECT, related_name="redemptions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    email = models.EmailField(max_length=254)
    subject = models.CharField(max_length=40)
    group = models.CharField(max_length=40)
    price = models.BigIntegerField()
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = StateField(choices=State.choices, default=State.RESERVED)
    consumed_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)

    objects = RedemptionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject"], name="redemption_subject_once"),
            models.CheckConstraint(condition=Q(amount__gte=1, amount__lte=F("price")), name="redemption_amount_within_price"),
            models.CheckConstraint(condition=Q(currency__in=sorted(CURRENCIES)), name="redemption_currency_known"),
            models.CheckConstraint(condition=~Q(state="released") | ~Q(released_at=None), name="redemption_released_at"),
            models.CheckConstraint(condition=~Q(state="consumed") | ~Q(consumed_at=None), name="redemption_consumed_at"),
        ]
        indexes = [
            models.Index(fields=["code", "-id"], name="redemption_code"),
            models.Index(F("code"), Lower("email"), name="redemption_person"),
            models.Index(fields=["group", "-id"], name="redemption_group"),
        ]
        triggers = [
            StateMachine(),
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="count_uses",
                when=pgtrigger.After,
                level=pgtrigger.Row,
                operation=pgtrigger.Insert | pgtrigger.Update,
                func=_COUNT_USES,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code_id and self.code.code} by {self.email}"

    @property
    def discount(self) -> Money:
        return Money(self.amount, self.currency)

    @transition(field=state, source=State.RESERVED, target=State.CONSUMED, operation="promo_codes.redeeming.consume")
    def consume(self, *, at: datetime) -> None:
        self.consumed_at = at

    @transition(field=state, source=[State.RESERVED, State.CONSUMED], target=State.RELEASED, operation="promo_codes.redeeming.release")
    def release(self, *, at: datetime) -> None:
        self.released_at = at

    @transition(field=state, source=State.RELEASED, target=State.CONSUMED, operation="promo_codes.redeeming.restore")
    def restore(self, *, at: datetime) -> None:
        """Money at the discounted price came late, while a use was still free."""
        self.consumed_at, self.released_at = at, None
