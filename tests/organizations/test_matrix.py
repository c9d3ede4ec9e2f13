"""Every cell of the expected table, driven through the operations, both consoles and the API: role or staff group × whose the object is."""

import itertools
import json
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from admin_ext.sites import console_site, staff_site
from core.errors import NotFound, PermissionRefused
from organizations.permissions import allows
from tests.admin_ext.conftest import sign_in
from tests.factories.people import actor
from tests.organizations import drivers, form_operations
from tests.organizations.matrix import IDS, SUBJECTS, Subject, World, undone, writes

pytestmark = [pytest.mark.django_db, pytest.mark.gap("4.1"), pytest.mark.gap("4.2")]
every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=IDS, indirect=True)
AT_HOME = [(who, relation) for who, relation in SUBJECTS if relation in ("own", "staff")]
_token = itertools.count(1)

DONE, REFUSED, ABSENT, SIGN_IN = "done", "refused", "absent", "sign in"


def sees(subject: Subject, label: str) -> bool:
    """Whether the object of a screen is in reach of the person, as the table has it."""
    if label == "admin_ext.bulkrun" and not subject.is_staff:  # a run is whoever's asked for it
        return subject.relation == "own" and subject.may("payment.view")
    return subject.reaches(drivers.SCREENS[label], whole=label in drivers.WHOLE)


def registry() -> list[tuple[str, Any, Any]]:
    return [(model._meta.label_lower, model, admin) for model, admin in staff_site._registry.items()]


def on_organizers_console(label: str) -> bool:
    return any(model._meta.label_lower == label for model in console_site._registry)


@every_subject
class TestOperations:
    def test_answer_as_the_table_says(self, subject: Subject, world: World) -> None:
        by, answers, expected = actor(subject.person), {}, {}
        for cell, press in drivers.BUTTONS.items():
            label, name = cell.split(":")
            button = getattr(type(admin_of(label)), name).button
            call = {button.id_argument: world.row(admin_of(label).model, name).pk, **press.given(), "by": by}
            answers[cell] = self._answer(lambda button=button, call=call: button.operation(**call), world, press.first)
            found = subject.reaches(press.seen, whole=label in drivers.WHOLE) if press.seen else sees(subject, label)
            expected[cell] = self._expected(subject, press.permission, sees=press.asks_first or subject.is_staff or found)
        for cell, (seen, permission, call) in form_operations.OPERATIONS.items():
            whole = seen == "organization.view"
            answers[cell] = self._answer(lambda call=call: call(world, by), world)
            visible = subject.is_staff or subject.reaches(seen, whole=whole)
            expected[cell] = self._expected(subject, permission, sees=visible)
        assert answers == expected

    def test_and_rows_show_as_the_table_says(self, subject: Subject, world: World) -> None:
        by = actor(subject.person, organization=world.north)
        rows = {label: world.row(model) for label, model, _ in registry() if hasattr(model._default_manager.all(), "visible_to")}
        seen = {label: type(row)._default_manager.visible_to(by).filter(pk=row.pk).exists() for label, row in rows.items()}  # type: ignore[attr-defined]

        assert {label: found and allows(by, _permission(label)) for label, found in seen.items()} == {
            label: sees(subject, label) for label in rows
        }

    def _expected(self, subject: Subject, permission: str, *, sees: bool) -> str:
        if not sees:
            return ABSENT
        return DONE if subject.reaches(permission) else REFUSED

    def _answer(self, call: Any, world: World, first: Any = None) -> str:
        with undone():
            if first:
                first(world)
            before = writes()
            try:
                call()
            except (NotFound, PermissionRefused) as refusal:
                assert writes() == before
                return ABSENT if isinstance(refusal, NotFound) else REFUSED
            assert writes() != before
            return DONE


def _permission(label: str) -> Any:
    return type(admin_of(label)).view_permission


def admin_of(label: str) -> Any:
    return next(admin for name, _, admin in registry() if name == label)


@every_subject
class TestConsoles:
    def test_open_screens_as_the_table_says(self, subject: Subject, world: World) -> None:
        client, site, look = sign_in(subject.person), self._site(subject), world.look(subject)
        answers, expected = {}, {}
        for label, model, _ in registry():
            if site == "console" and not on_organizers_console(label):
                continue
            may = subject.may(drivers.SCREENS[label])
            answers[label] = (look(client, url(site, label)).status_code, look(client, page(site, world.row(model))).status_code)
            hidden = 404 if may or label == "admin_ext.bulkrun" else 403
            expected[label] = (200 if may else 403, 200 if may and sees(subject, label) else hidden)
        assert answers == expected

    def test_export_as_the_table_says(self, subject: Subject, world: World) -> None:
        client, site = sign_in(subject.person), self._site(subject)
        answers, expected = {}, {}
        for label, permission in drivers.EXPORTS.items():
            if site == "console" and not on_organizers_console(label):
                continue
            with undone():
                before, answer = writes(), client.post(f"{url(site, label)}export.csv")
                answers[label] = (answer.status_code, writes() != before)
            sees_list = subject.may(drivers.SCREENS[label])
            expected[label] = (200, True) if sees_list and subject.may(permission) else (302 if sees_list else 403, False)
        assert answers == expected

    def test_offer_and_do_what_the_table_says(self, subject: Subject, world: World) -> None:
        client, site, look = sign_in(subject.person), self._site(subject), world.look(subject)
        answers, expected = {}, {}
        for cell, press in drivers.BUTTONS.items():
            label, name = cell.split(":")
            if site == "console" and not on_organizers_console(label):
                continue
            address = f"{page(site, world.row(admin_of(label).model, name)).removesuffix('change/')}{name.replace('_', '-')}/"
            with undone():
                if press.first:
                    press.first(world)
                page_address = address.removesuffix(f"{name.replace('_', '-')}/") + "change/"
                shown = (Client.get if press.first else look)(client, page_address)
                offered = shown.status_code == 200 and address in shown.content.decode()
                answers[cell] = (offered, self._pressed(client, address, press, admin_of(label), name))
            visible = subject.may(drivers.SCREENS[label]) and sees(subject, label)
            may = visible and subject.reaches(press.permission)
            expected[cell] = (may, DONE if may else REFUSED if visible else ABSENT)
        assert answers == expected

    def test_let_edit_and_add_what_the_table_says(self, subject: Subject, world: World) -> None:
        client, site, look = sign_in(subject.person), self._site(subject), world.look(subject)
        answers, expected = {}, {}
        for label, form in drivers.FORMS.items():
            if site == "console" and not on_organizers_console(label):
                continue
            row, may = world.row(admin_of(label).model), subject.may(form.permission)
            shown = look(client, page(site, row))
            answers[label] = self._saved(client, page(site, row), {**typed(shown), **form.change})
            reached = sees(subject, label) and subject.reaches(form.permission, whole=label in drivers.WHOLE)
            known = may or subject.may(drivers.SCREENS[label])
            expected[label] = DONE if may and reached else ABSENT if known and not sees(subject, label) else REFUSED
            if form.add:
                add = url(site, label) + "add/"
                values = {**typed(client.get(add)), **typed(shown), **self._of_new(world, site), **form.change} if may else {}
                answers[f"{label} add"] = self._saved(client, add, values) if not may or shown.status_code == 200 else DONE
                expected[f"{label} add"] = DONE if may else REFUSED
        assert answers == expected

    def test_offer_and_start_bulk_actions_as_the_table_says(self, subject: Subject, world: World) -> None:
        client, site, look = sign_in(subject.person), self._site(subject), world.look(subject)
        answers, expected = {}, {}
        for cell, permission in drivers.BULK.items():
            label, name = cell.split(":")
            if site == "console" and not on_organizers_console(label):
                continue
            listed = look(client, url(site, label))
            offered = listed.status_code == 200 and f'value="{name}"' in listed.content.decode()
            with undone():
                before = writes()
                row = world.row(admin_of(label).model)
                client.post(url(site, label), {"action": name, "_selected_action": [str(row.pk)], "select_across": "0"})
                after = writes()
                answers[cell] = (offered, after.get("admin_ext_bulkitem") != before.get("admin_ext_bulkitem"))
                assert offered or after == before
            may = subject.may(permission)
            expected[cell] = (may, may and sees(subject, label))
        assert answers == expected

    def _site(self, subject: Subject) -> str:
        return "staff" if subject.is_staff else "console"

    def _of_new(self, world: World, site: str) -> dict[str, str]:
        return {"organization": str(world.north.pk) if site == "staff" else "", "host_email": world.host.email if site == "staff" else ""}

    def _pressed(self, client: Client, address: str, press: drivers.Press, admin: Any, name: str) -> str:
        with undone():
            before = writes()
            answer = client.post(address, {"token": f"t{next(_token)}", **press.typed})
            if answer.status_code == 404:
                assert writes() == before
                return ABSENT
            told = [str(message) for message in get_messages(answer.wsgi_request)][-1:]  # no page showed the earlier ones
            assert answer.status_code == 302, answer.content.decode()[-3000:]
            if told == [str(PermissionRefused(press.permission))]:
                assert writes() == before
                return REFUSED
            assert told == [getattr(type(admin), name).button.done]
            assert writes() != before
            return DONE

    def _saved(self, client: Client, address: str, values: dict[str, Any]) -> str:
        with undone():
            before = writes()
            answer = client.post(address, values)
            if answer.status_code in (403, 404):
                assert writes() == before
                return ABSENT if answer.status_code == 404 else REFUSED
            assert answer.status_code == 302, answer.context["adminform"].form.errors
            assert writes() != before
            return DONE


@pytest.mark.parametrize("subject", AT_HOME, ids=[who for who, _ in AT_HOME], indirect=True)
class TestTheOtherConsole:
    def test_opens_nothing(self, subject: Subject, world: World) -> None:
        """Members find no way into the staff console, staff none into the organizers'."""
        client, site = sign_in(subject.person), "console" if subject.is_staff else "staff"
        labels = [label for label, _, _ in registry() if site == "staff" or on_organizers_console(label)]
        addresses = [page(site, world.row(admin_of(label).model)) for label in labels]
        addresses += [
            f"{page(site, world.row(admin_of(label).model, name)).removesuffix('change/')}{name.replace('_', '-')}/"
            for label, name in (cell.split(":") for cell in drivers.BUTTONS)
            if label in labels
        ]
        before = writes()
        for address in addresses:
            for answer in (client.get(address), client.post(address, {"token": f"t{next(_token)}"})):
                assert (answer.status_code, answer["Location"].split("?")[0]) == (302, f"/{site}/login/"), address
        assert client.get(f"/{site}/login/").status_code == 403
        assert writes() == before


@every_subject
class TestApi:
    def test_answers_as_the_table_says(self, subject: Subject, world: World) -> None:
        client = sign_in(subject.person)
        answers, expected = {}, {}
        for address, route in drivers.ROUTES.items():
            method, path = address.split()
            row: Any = world.rows[route.row]
            document: Any = world.rows["billing.document"]
            ids = dict.fromkeys(("event", "event_id", "registration_id", "payout_id", "invitation_id", "membership_id"), row.public_id)
            check_in: Any = world.rows["registrations.checkin"]
            others = {"document_id": document.public_id, "check_in_id": check_in.public_id}
            target = path.format(**ids, organization_id=world.north.public_id, **others)
            answers[address] = self._asked(client, method, target, route, world)
            if subject.relation == "staff" or subject.reaches(route.sees):
                expected[address] = route.answer if subject.reaches(route.needs) else (403, "PERMISSION_REFUSED")
            else:
                expected[address] = (404, "NOT_FOUND")
        assert answers == expected

    def _asked(self, client: Client, method: str, target: str, route: drivers.Route, world: World) -> tuple[int, str]:
        with undone():
            before = changed()
            given = route.body(world) if callable(route.body) else route.body
            body = json.dumps(given).encode() if given else b""
            answer = client.generic(method, target, body, "application/json", headers={"Idempotency-Key": f"matrix-{next(_token)}"})
            code = answer.json()["error"]["code"] if answer.status_code >= 400 else ""
            assert (changed() != before) is (method != "GET" and answer.status_code < 400)
            return answer.status_code, code


def changed() -> dict[str, int]:
    """Without what keeps the answer for the same Idempotency-Key."""
    return {name: count for name, count in writes().items() if not name.startswith("public_api_")}


def url(site: str, label: str) -> str:
    return f"/{site}/{label.replace('.', '/')}/"


def page(site: str, row: Any) -> str:
    return f"{url(site, row._meta.label_lower)}{getattr(row, 'public_id', row.pk)}/change/"


def typed(answer: Any) -> dict[str, Any]:
    """What the form on the page would post as it stands; nothing where there is no form."""
    if answer.status_code != 200:
        return {}
    form = answer.context["adminform"].form
    values = {field.html_name: field.value() for field in form}
    plain = {name: "on" if value is True else value for name, value in values.items() if value is not None and value is not False}
    return {**plain, "_seen": answer.context.get("seen", "")}
