"""The hosted pages as a browser without scripts uses them: forms, redirects, clear words."""

import http.client
import re
from urllib.parse import urlencode, urlsplit

import pytest
import stripe

from sandbox.stripe.server import Sandbox
from tests.sandbox.conftest import Endpoint
from tests.sandbox.paying import paid_intent
from tests.sandbox.test_checkout import session_params


def visit(sandbox: Sandbox, url: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
    """(status, page, Location) of a GET, or of a form's POST; redirects are not followed."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(sandbox.url).port)
    connection.request("GET" if form is None else "POST", urlsplit(url).path, None if form is None else urlencode(form))
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), answer.headers.get("Location", "")
    connection.close()
    return found


@pytest.fixture
def session(client: stripe.StripeClient) -> stripe.checkout.Session:
    return client.v1.checkout.sessions.create(session_params(customer_email="ana@example.com"))


class TestShow:
    def test_says_what_is_paid_and_how_to_leave(self, sandbox: Sandbox, session: stripe.checkout.Session) -> None:
        status, page, _ = visit(sandbox, str(session.url))

        assert status == 200
        for text in ("Spring workshop", "50.00 USD", "ana@example.com", "4242 4242 4242 4242", "http://example.test/cancelled"):
            assert text in page
        fields = set(re.findall(r'<label for="(\w+)"', page))
        assert fields == {"email", "name", "card"} == set(re.findall(r'<input id="(\w+)"', page))

    def test_escapes_what_the_organizer_wrote(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        params = session_params()
        params["line_items"][0]["price_data"]["product_data"]["name"] = "<script>alert(1)</script>"

        page = visit(sandbox, str(client.v1.checkout.sessions.create(params).url))[1]

        assert "<script>" not in page
        assert "&lt;script&gt;" in page

    def test_is_not_found_for_an_unknown_session(self, sandbox: Sandbox) -> None:
        assert visit(sandbox, "/c/pay/cs_test_unknown")[0] == 404
        assert visit(sandbox, "/c/nothing/here")[0] == 404

    def test_says_that_a_session_has_expired(self, sandbox: Sandbox, client: stripe.StripeClient, session: stripe.checkout.Session) -> None:
        sandbox.control.advance(24 * 60 * 60 + 1)

        assert "has expired" in visit(sandbox, f"/c/pay/{session.id}")[1]
        assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
        assert client.v1.events.list({"type": "checkout.session.expired"}).data != []

    def test_gives_a_receipt_for_what_was_paid_only(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = paid_intent(client, 25_000, "kwd", expand=["latest_charge"])
        unpaid = client.v1.payment_intents.create({"amount": 5000, "currency": "usd"})

        assert "25.000 kwd" in visit(sandbox, intent.latest_charge.receipt_url)[1]
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 5_000})
        assert "Paid: 25.000 kwd. Refunded: 5.000 kwd." in visit(sandbox, intent.latest_charge.receipt_url)[1]
        assert visit(sandbox, f"/c/receipt/{unpaid.id}")[0] == 404

    def test_is_not_found_for_unknown_payments(self, sandbox: Sandbox) -> None:
        assert visit(sandbox, "/c/3ds/pi_unknown")[0] == 404
        assert visit(sandbox, "/c/3ds/pi_unknown", {"answer": "complete"})[0] == 404
        assert visit(sandbox, "/c/pay/cs_test_unknown", {"card": "4242424242424242"})[0] == 404


class TestPay:
    def test_goes_on_to_the_success_url(self, sandbox: Sandbox, client: stripe.StripeClient, session: stripe.checkout.Session) -> None:
        status, _, location = visit(sandbox, str(session.url), {"card": "4242 4242 4242 4242", "email": "bo@example.com", "name": "Bo"})

        assert (status, location) == (303, f"http://example.test/back?session={session.id}")
        paid = client.v1.checkout.sessions.retrieve(session.id)
        assert paid.customer_details is not None
        assert (paid.payment_status, paid.customer_details.email) == ("paid", "bo@example.com")

    def test_says_why_a_card_was_declined_and_lets_another_pay(
        self, sandbox: Sandbox, client: stripe.StripeClient, session: stripe.checkout.Session
    ) -> None:
        page = visit(sandbox, str(session.url), {"card": "4000000000009995"})[1]
        assert 'role="alert">Your card has insufficient funds.' in page
        page = visit(sandbox, str(session.url), {"card": "1111"})[1]
        assert "Your card number is incorrect." in page

        assert visit(sandbox, str(session.url), {"card": "4242424242424242"})[0] == 303

        assert [c.status for c in client.v1.charges.list().data] == ["succeeded", "failed"]

    def test_takes_the_test_card_of_a_button_over_the_typed_one(
        self, sandbox: Sandbox, client: stripe.StripeClient, session: stripe.checkout.Session
    ) -> None:
        numbers = re.findall(r'name="try" value="(\d+)"', visit(sandbox, str(session.url))[1])
        assert "4000000000000002" in numbers

        page = visit(sandbox, str(session.url), {"card": "4242424242424242", "try": "4000000000000002"})[1]

        assert 'role="alert">Your card was declined.' in page
        assert client.v1.checkout.sessions.retrieve(session.id).status == "open"

    def test_charges_once_however_often_it_is_clicked(
        self, sandbox: Sandbox, client: stripe.StripeClient, session: stripe.checkout.Session
    ) -> None:
        for _ in range(3):
            page = visit(sandbox, f"/c/pay/{session.id}", {"card": "4242424242424242"})[1]

        assert "Already paid" in page
        assert len(client.v1.charges.list().data) == 1


class TestChallenge:
    def test_completed_pays(self, sandbox: Sandbox, client: stripe.StripeClient, session: stripe.checkout.Session) -> None:
        _, _, challenge = visit(sandbox, str(session.url), {"card": "4000002500003155"})
        assert "3-D Secure" in visit(sandbox, challenge)[1]
        assert client.v1.charges.list().data == []

        status, _, location = visit(sandbox, challenge, {"answer": "complete"})

        assert (status, location) == (303, f"http://example.test/back?session={session.id}")
        assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
        assert "not waiting for you" in visit(sandbox, challenge)[1]

    def test_failed_leads_back_and_says_so(self, sandbox: Sandbox, client: stripe.StripeClient, session: stripe.checkout.Session) -> None:
        _, _, challenge = visit(sandbox, str(session.url), {"card": "4000002760003184"})

        _, _, location = visit(sandbox, challenge, {"answer": "fail"})

        assert location == session.url
        assert "has failed authentication" in visit(sandbox, location)[1]
        assert client.v1.charges.list().data == []

    @pytest.mark.parametrize("answer", ["complete", "fail"])
    def test_leads_back_to_where_an_intent_without_a_session_came_from(
        self, sandbox: Sandbox, client: stripe.StripeClient, answer: str
    ) -> None:
        back = "http://example.test/back"
        intent = paid_intent(client, card="pm_card_authenticationRequired", return_url=back)

        assert visit(sandbox, f"/c/3ds/{intent.id}", {"answer": answer})[::2] == (303, back)

        assert client.v1.payment_intents.retrieve(intent.id).status == ("succeeded" if answer == "complete" else "requires_payment_method")


class TestLater:
    @pytest.mark.parametrize(
        ("outcome", "event", "paid"), [("processing", "succeeded", "paid"), ("processing_then_failed", "failed", "unpaid")]
    )
    def test_the_bank_settles_or_refuses(
        self,
        sandbox: Sandbox,
        client: stripe.StripeClient,
        session: stripe.checkout.Session,
        endpoint: Endpoint,
        outcome: str,
        event: str,
        paid: str,
    ) -> None:
        after = sandbox.control.pay(session.id, outcome=outcome)["session"]
        assert (after["status"], after["payment_status"]) == ("complete", "unpaid")
        assert client.v1.balance_transactions.list().data == []

        sandbox.control.advance(6)
        sandbox.control.flush()

        assert client.v1.checkout.sessions.retrieve(session.id).payment_status == paid
        assert f"checkout.session.async_payment_{event}" in endpoint.types()
        assert "payment_intent.processing" in endpoint.types()
