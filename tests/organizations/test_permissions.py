"""Every permission × role and staff group × whose organization it is, held to the table written by hand in `expected`."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.actor import Actor, StaffGroup
from core.errors import PermissionRefused, StepUpRequired
from organizations.acting import acting_for
from organizations.models import ActingGrant, Membership, Organization, Role
from organizations.permissions import Permission, allows, permitted, require
from tests.admin_ext import making
from tests.factories.organizations import MembershipFactory, OrganizationFactory
from tests.factories.people import UserFactory, actor, staff
from tests.organizations.expected import ROLES, STAFF, STEP_UP, TABLE

CASES = [(name, who, answer) for name, row in TABLE.items() for who, answer in zip(ROLES + STAFF, row.split(), strict=True)]
BY_ROLE = [case for case in CASES if case[1] in ROLES]
BY_STAFF = [case for case in CASES if case[1] in STAFF]


class TestTable:
    def test_names_every_permission_role_and_group(self) -> None:
        assert set(TABLE) == {str(permission) for permission in Permission}
        assert set(ROLES) == set(Role.values)
        assert set(STAFF) == {str(group) for group in StaffGroup}


def each(by: Actor) -> frozenset[Permission]:
    return frozenset(permission for permission in Permission if allows(by, permission))


@pytest.mark.django_db
class TestPermitted:
    """All of them at once are each of them."""

    @pytest.mark.parametrize("role", Role.values)
    def test_of_members(self, role: str, django_assert_num_queries: Any) -> None:
        membership = MembershipFactory(role=role)
        elsewhere = MembershipFactory(user=membership.user, role="instructor").organization
        for by in (actor(membership.user), actor(membership.user, organization=elsewhere)):
            expected = each(by)
            with django_assert_num_queries(1):
                assert permitted(by) == expected

    @pytest.mark.parametrize("group", list(StaffGroup))
    def test_of_staff_of_the_system_and_of_nobody(self, group: StaffGroup) -> None:
        for by in (staff(group), Actor.system("tests"), Actor(label="nobody")):
            assert permitted(by) == each(by)

    def test_of_staff_in_an_organizations_place_while_the_grant_lasts(self) -> None:
        organization, sol = OrganizationFactory(), UserFactory(staff_groups=["support"])
        MembershipFactory(organization=organization)
        grant = making.acting_grant(organization, sol)
        by = acting_for(sol, grant, second_factor_at=timezone.now())
        assert Permission.EVENT_MANAGE in permitted(by)
        assert Permission.SUBSCRIPTION_MANAGE not in permitted(by)
        assert permitted(by) == each(by)
        ActingGrant.objects.update(ended_at=timezone.now())
        assert permitted(by) == each(by)


@pytest.mark.django_db
@pytest.mark.gap("4.2")
class TestMembers:
    @pytest.mark.parametrize(("name", "role", "answer"), BY_ROLE)
    def test_may_what_the_table_says_in_their_organization_and_nothing_in_another(self, name: str, role: str, answer: str) -> None:
        ours, theirs = OrganizationFactory(), OrganizationFactory()
        user = MembershipFactory(organization=ours, role=role).user
        colleague = MembershipFactory(organization=ours, role=role).user
        permission, may = Permission(name), answer != "no"

        for by in (actor(user), actor(user, organization=ours)):
            assert allows(by, permission, ours.pk, responsible_id=user.pk) is may
            assert allows(by, permission, ours.pk, responsible_id=colleague.pk) is may
            assert allows(by, permission) is may
            assert allows(by, permission, theirs.pk, responsible_id=user.pk) is False

    @pytest.mark.parametrize(("name", "role", "answer"), BY_ROLE)
    def test_may_only_their_own_where_the_organization_narrows_it(self, name: str, role: str, answer: str) -> None:
        ours = OrganizationFactory(organizer_scope=Organization.OrganizerScope.OWN)
        user = MembershipFactory(organization=ours, role=role).user
        colleague = MembershipFactory(organization=ours, role=role).user
        by, permission = actor(user), Permission(name)

        assert allows(by, permission, ours.pk, responsible_id=user.pk) is (answer != "no")
        assert allows(by, permission, ours.pk, responsible_id=colleague.pk) is (answer == "yes")

    @pytest.mark.parametrize(("name", "role", "answer"), BY_ROLE)
    def test_may_nothing_once_it_has_ended_even_in_a_request_that_had_begun(self, name: str, role: str, answer: str) -> None:
        membership = MembershipFactory(role=role)
        MembershipFactory(organization=membership.organization)
        begun = actor(membership.user)
        Membership.objects.filter(pk=membership.pk).update(ended_at=timezone.now())

        for by in (begun, actor(membership.user), actor(membership.user, organization=membership.organization)):
            assert allows(by, Permission(name), membership.organization_id, responsible_id=membership.user_id) is False
            assert allows(by, Permission(name)) is False

    def test_may_nothing_where_person_or_organization_is_switched_off(self) -> None:
        membership = MembershipFactory()
        by = actor(membership.user)
        assert allows(by, Permission.EVENT_VIEW, membership.organization_id)

        Organization.objects.filter(pk=membership.organization_id).update(is_active=False)
        assert not allows(by, Permission.EVENT_VIEW, membership.organization_id)
        Organization.objects.filter(pk=membership.organization_id).update(is_active=True)
        type(membership.user).objects.filter(pk=membership.user_id).update(is_active=False)
        assert not allows(by, Permission.EVENT_VIEW, membership.organization_id)

    def test_in_one_console_act_for_that_organization_alone(self) -> None:
        user, here, there = UserFactory(), OrganizationFactory(), OrganizationFactory()
        for organization in (here, there):
            MembershipFactory(organization=organization, user=user)

        assert not allows(actor(user, organization=here), Permission.EVENT_MANAGE, there.pk)
        assert allows(actor(user), Permission.EVENT_MANAGE, there.pk)


@pytest.mark.django_db
class TestStaff:
    @pytest.mark.parametrize(("name", "group", "answer"), BY_STAFF)
    def test_may_what_the_table_says_in_every_organization(self, name: str, group: str, answer: str) -> None:
        by = staff(StaffGroup(group))
        assert by.staff_groups == {StaffGroup(group)}

        assert allows(by, Permission(name), OrganizationFactory().pk) is (answer == "yes")
        assert allows(by, Permission(name)) is (answer == "yes")

    @pytest.mark.parametrize(("name", "group", "answer"), BY_STAFF)
    def test_may_nothing_where_this_sign_in_used_no_second_factor(self, name: str, group: str, answer: str) -> None:
        without = replace(staff(StaffGroup(group)), staff_groups=frozenset())

        assert allows(without, Permission(name), OrganizationFactory().pk) is False

    def test_gather_what_each_of_their_groups_may(self) -> None:
        both = staff(StaffGroup.SUPPORT, StaffGroup.AUDITOR)

        assert allows(both, Permission.ORGANIZATION_EDIT)
        assert not allows(both, Permission.FEE_EDIT)


@pytest.mark.django_db
class TestOthers:
    @pytest.mark.parametrize("name", TABLE)
    def test_strangers_guests_and_the_anonymous_may_nothing_and_systems_everything(self, name: str) -> None:
        organization = OrganizationFactory()
        for by in (actor(UserFactory()), Actor.guest(organization.pk), Actor.anonymous()):
            assert allows(by, Permission(name), organization.pk) is False
            with pytest.raises(PermissionRefused):
                require(by, Permission(name), organization.pk)
        require(Actor.system("tests"), Permission(name), organization.pk)


@pytest.mark.django_db
@pytest.mark.gap("10.4")
class TestStepUp:
    @pytest.mark.parametrize("name", TABLE)
    def test_is_asked_for_before_actions_on_money_only(self, name: str) -> None:
        fresh = staff(StaffGroup.SUPERUSER)
        stale = replace(fresh, second_factor_at=timezone.now() - timedelta(minutes=10, seconds=1))
        never = replace(fresh, second_factor_at=None)

        require(fresh, Permission(name))
        for by in (stale, never):
            if name in STEP_UP:
                with pytest.raises(StepUpRequired) as refused:
                    require(by, Permission(name))
                assert (refused.value.code, refused.value.http_status) == ("SECOND_FACTOR_REQUIRED", 403)
            else:
                require(by, Permission(name))

    def test_is_not_asked_for_in_the_demo(self, settings) -> None:
        settings.SECOND_FACTOR_REQUIRED = False

        require(replace(staff(StaffGroup.FINANCE), second_factor_at=None), Permission.FEE_EDIT)
