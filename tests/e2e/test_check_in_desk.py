"""The door, in a browser on a telephone: ten people by their tickets and one by name, the connection lost; and a rule changed knowingly."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from django.conf import settings
from django.core.cache import cache
from playwright.sync_api import Page, expect

from events.models import Event
from registrations import cancellation, guest_links, tickets, verdicts
from registrations.models import CheckIn, Registration
from tests.admin_ext.conftest import sign_in
from tests.e2e.conftest import accessibility_findings, screenshot
from tests.factories.attendance import event_under_way, parts, stay
from tests.factories.people import Personas, personas
from tests.processes import free_port, web
from tests.registrations.test_attendance import place_at

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("3.3"), pytest.mark.gap("1.8")]
type NewPage = Callable[..., Page]


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    cache.clear()
    port = free_port()
    with web({"BASE_URL": f"http://127.0.0.1:{port}"}, port=port) as found:
        yield found


def window(new_page: NewPage, address: str, people: Personas, *, width: int) -> Page:
    page = new_page(width=width)
    cookie = sign_in(people.alice).cookies[settings.SESSION_COOKIE_NAME]
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": address}])
    return page


def scan(page: Page, text: str) -> None:
    """As a scanner that is a keyboard does."""
    page.fill("#who", text)
    page.press("#who", "Enter")


def looked_at(page: Page, name: str) -> None:
    assert not accessibility_findings(page)
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth"), f"{name} is wider than the window"
    screenshot(page, name)


def test_the_desk_lets_ten_people_in_through_a_lost_connection(address: str, new_page: NewPage) -> None:
    people = personas()
    event = event_under_way(people, capacity=20)
    everybody = [place_at(event, name=f"Guest Number{number}") for number in range(11)]
    page = window(new_page, address, people, width=375)
    page.goto(f"{address}/console/events/event/{event.public_id}/desk/")
    outcome, waiting = page.locator("#outcome"), page.locator("#waiting")
    looked_at(page, "desk-375")

    for place in everybody[:5]:
        scan(page, tickets.code(place.pk))
        expect(outcome).to_have_text(f"{place.name} is checked in.")
    _wrong_tickets(page, event, people, everybody[0])

    page.context.set_offline(True)
    for place in everybody[5:10]:
        scan(page, tickets.code(place.pk))
    expect(waiting).to_have_text("No connection. 5 check-ins wait in this browser; keep the page.")
    scan(page, tickets.code(everybody[5].pk))
    expect(outcome).to_have_text("This ticket waits to be sent already.")
    looked_at(page, "desk-375-waiting")
    assert CheckIn.objects.count() == 5

    page.context.set_offline(False)
    expect(waiting).to_be_hidden()
    expect(page.locator("#log li")).to_have_count(10)
    assert CheckIn.objects.filter(method=CheckIn.Method.QR).values("registration").distinct().count() == 10
    _by_name_with_undo(page, everybody[10])
    assert CheckIn.objects.filter(undone_at=None).values("registration").distinct().count() == 11


def _wrong_tickets(page: Page, event: Event, people: Personas, inside: Registration) -> None:
    """One sentence each."""
    outcome, other = page.locator("#outcome"), event_under_way(people)
    cancelled = place_at(event)
    cancellation.cancel(registration_id=cancelled.pk, by=people.as_alice)
    for text, sentence in (
        (tickets.code(place_at(other).pk), "This ticket is for another event."),
        (tickets.code(cancelled.pk), "This registration is cancelled; the person has no place at the event."),
        ("cpd1.nonsense", "This is no ticket of ours; look the person up by name."),
    ):
        scan(page, text)
        expect(outcome).to_have_text(sentence)
    scan(page, tickets.code(inside.pk))
    expect(outcome).to_contain_text("Checked in already, at ")


def _by_name_with_undo(page: Page, place: Registration) -> None:
    outcome = page.locator("#outcome")
    for _ in range(2):
        scan(page, "number10")
        page.get_by_role("button", name="Check in: Guest Number10").click()
        expect(outcome).to_have_text("Guest Number10 is checked in.")
        if place.check_ins.count() == 1:
            page.get_by_role("button", name="Undo: Guest Number10").click()
            expect(outcome).to_have_text("Guest Number10 is not checked in any more.")
    scan(page, "number10")
    expect(page.locator("#found li")).to_contain_text("checked in already")


def test_a_rule_is_changed_knowing_who_gains(address: str, new_page: NewPage) -> None:
    people = personas()
    event = event_under_way(people, sessions=2, credits=Decimal(2), credit_type="CPD")
    ada = place_at(event, name="Ada Lovelace")
    stay(ada, parts(event)[0], 60)
    page = window(new_page, address, people, width=1280)
    page.goto(f"{address}/console/registrations/registration/{ada.public_id}/change/")
    expect(page.locator("#content")).to_contain_text("1 of 2 required sessions. “Part 2” missing: not attended.")
    looked_at(page, "why-not")
    page.goto(f"{address}/console/events/event/{event.public_id}/completion/")
    page.check("input[value=min_sessions_count]")
    page.locator("input[name=completion_value]").press_sequentially("1")
    expect(page.locator("#dialog-preview")).to_contain_text("Gains: Ada Lovelace, not earned, then 2.00 credits.")
    assert not accessibility_findings(page)
    screenshot(page, "what-if")
    page.get_by_role("button", name="Change the rule").click()
    page.wait_for_url("**/change/")
    assert Event.objects.get(pk=event.pk).completion_rule == "min_sessions_count"
    verdicts.recompute(event_id=event.pk)
    page.get_by_role("link", name="Who earned what").click()
    expect(page.locator("#content")).to_contain_text("1 of 1 required session.")
    looked_at(page, "who-earned-what")


def test_a_guest_sees_the_ticket_and_what_counts(address: str, new_page: NewPage) -> None:
    people = personas()
    event = event_under_way(people)
    place, page = place_at(event, name="Ada Lovelace"), new_page(width=375)
    key = guest_links.manage_key(place.pk)
    Registration.objects.filter(pk=place.pk).update(guest_key_hash=guest_links.stored_hash(key))
    stay(place, parts(event)[0], 31)
    page.goto(f"{address}/registrations/{place.public_id}?key={key}")

    assert page.get_by_alt_text("QR code of your ticket").evaluate("image => image.naturalWidth") > 100
    assert page.get_by_text("“Part 1” missing: 31 of 48 minutes.").is_visible()
    looked_at(page, "ticket-375")
