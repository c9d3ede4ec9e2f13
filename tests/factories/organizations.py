from typing import Any

import factory

from organizations.models import Membership, Organization, Role
from tests.factories.entitlements import granted
from tests.factories.people import UserFactory


class OrganizationFactory(factory.django.DjangoModelFactory[Organization]):
    """With a grant of everything; `grant=False` leaves it without, and so without anything."""

    class Meta:
        model = Organization
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Institute {n}")
    slug = factory.Sequence(lambda n: f"institute-{n}")

    @factory.post_generation
    def grant(self: Any, create: bool, extracted: Any, **values: Any) -> None:
        if create and extracted is not False:
            granted(self, **values)


class MembershipFactory(factory.django.DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    organization = factory.SubFactory(OrganizationFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.ADMIN
