"""People, and the actors they are. Alice owns, Bob is a colleague, Charlie is an outsider."""

from dataclasses import dataclass
from typing import Any

import factory
from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts.models import User
from audit.actor import Actor, StaffGroup
from organizations import acting
from organizations.models import Membership, Organization, Role
from tests.factories.accounts import usable_account
from tests.factories.entitlements import granted

PASSWORD = "correct horse battery staple"


class UserFactory(factory.django.DjangoModelFactory[User]):
    """Signs in with PASSWORD; the address is verified unless `verified=False`."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person-{n}@example.org")
    name = factory.Sequence(lambda n: f"Person {n}")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **values: Any) -> User:
        verified = values.pop("verified", True)
        user: User = model_class.objects.create_user(password=values.pop("password", PASSWORD), **values)
        EmailAddress.objects.create(user=user, email=user.email, verified=verified, primary=True)
        return user


def actor(user: User, *, organization: Organization | None = None, stepped_up: bool = True) -> Actor:
    """The person signed in; organization: in the console, switched to it. stepped_up: the second factor was used just now."""
    used_at = timezone.now() if stepped_up else None
    is_staff = bool(user.groups_of_staff)
    return acting.actor_for(user, second_factor_at=used_at, as_staff=is_staff, organization_id=organization.pk if organization else None)


def staff(*groups: StaffGroup, **values: Any) -> Actor:
    """A new person of these staff groups."""
    return actor(UserFactory(staff_groups=[str(group) for group in groups], **values))


@dataclass(frozen=True, slots=True)
class Personas:
    """alice: admin of `organization`; bob: organizer there; charlie: admin of `elsewhere`, with nothing to do here."""

    organization: Organization
    elsewhere: Organization
    alice: User
    bob: User
    charlie: User

    @property
    def as_alice(self) -> Actor:
        return actor(self.alice, organization=self.organization)

    @property
    def as_bob(self) -> Actor:
        return actor(self.bob, organization=self.organization)

    @property
    def as_charlie(self) -> Actor:
        return actor(self.charlie, organization=self.elsewhere)


def personas(*, payouts_usable: bool = True, **organization: Any) -> Personas:
    """organization: values of Alice's organization. payouts_usable: whether both can be paid out, and so sell."""
    ours = Organization.objects.create(**{"name": "Ågård Institute", "slug": f"agard-{User.objects.count()}", **organization})
    theirs = Organization.objects.create(name="Elsewhere", slug=f"elsewhere-{User.objects.count()}")
    for each in (ours, theirs):
        granted(each)
        if payouts_usable:
            usable_account(each)
    alice, bob, charlie = UserFactory(name="Alice"), UserFactory(name="Bob"), UserFactory(name="Charlie")
    Membership.objects.create(organization=ours, user=alice, role=Role.ADMIN)
    Membership.objects.create(organization=ours, user=bob, role=Role.ORGANIZER)
    Membership.objects.create(organization=theirs, user=charlie, role=Role.ADMIN)
    return Personas(ours, theirs, alice, bob, charlie)
