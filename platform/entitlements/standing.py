"""What accounts have used of what they were given, for everybody who shows it: nothing is counted, rolled or decided here."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, Prefetch, QuerySet

from entitlements.models import Allowance, Grant, UsageWarning
from entitlements.usage import WARN_AT

_WORDS = {80: "Most of it is used", 90: "Nearly all of it is used", 100: "All of it is used"}


@dataclass(frozen=True, slots=True)
class Used:
    """One resource. limit: None where there is none; used: None of a size, which nothing adds up to.

    What is reserved is counted as used from the same moment on: both are one transaction. warned: the shares that were told in this period.
    """

    resource: str
    label: str
    used: int | None
    limit: int | None
    warned: tuple[int, ...] = ()

    @property
    def percent(self) -> int | None:
        """Rounded down, so that 100 means all of it; None where there is no share to speak of."""
        return self.used * 100 // self.limit if self.used is not None and self.limit else None

    @property
    def reached(self) -> int:
        """The largest share worth a warning that is reached: 80, 90 or 100; 0 below."""
        return max((share for share in WARN_AT if self.percent is not None and self.percent >= share), default=0)

    @property
    def words(self) -> str:
        """The share in words, so that nobody needs to see a colour."""
        if self.percent is None:
            return "No limit" if self.limit is None else "Not part of this plan" if self.limit == 0 else ""
        return f"{_WORDS[self.reached]} ({self.percent} %)" if self.reached else f"{self.percent} % used"


@dataclass(frozen=True, slots=True)
class Standing:
    """One account. used: in the order of the resources, those that count first."""

    organization_id: UUID
    plan: str
    access: str
    period_starts_at: datetime
    period_ends_at: datetime
    used: tuple[Used, ...]

    @property
    def counted(self) -> list[Used]:
        return [one for one in self.used if one.used is not None]


def of(grants: QuerySet[Grant], *, at: datetime) -> dict[UUID, Standing]:
    """By organization, in three queries however many there are. grants: those that may be seen; who has none was given nothing."""
    told = UsageWarning.objects.filter(period_starts_at=F("allowance__grant__period_starts_at")).order_by("percent")
    rows = Allowance.objects.order_by("pk").prefetch_related(Prefetch("warnings", queryset=told))
    return {grant.organization_id: _standing(grant, at) for grant in grants.prefetch_related(Prefetch("allowances", queryset=rows))}


def _standing(grant: Grant, at: datetime) -> Standing:
    found = tuple(
        Used(
            resource=str(row.resource),
            label=str(row.get_resource_display()),
            used=row.used if row.is_counted else None,
            limit=row.effective_limit(at),
            warned=tuple(warning.percent for warning in row.warnings.all()),
        )
        for row in grant.allowances.all()
    )
    ordered = tuple(sorted(found, key=lambda one: one.used is None))
    return Standing(grant.organization_id, grant.plan, str(grant.access), grant.period_starts_at, grant.period_ends_at, ordered)
