"""Where Stripe delivers: verified and stored before anything else happens."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.models import InboundEvent
from billing.webhooks import receiving

LONGEST_EVENT = 512 * 1024  # bytes; Stripe's largest events are far below


def _endpoint(name: str) -> Callable[[HttpRequest], HttpResponse]:
    @csrf_exempt
    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        """200 once the event is stored (again or for the first time), 400 with one sentence and no row otherwise."""
        if int(request.META.get("CONTENT_LENGTH") or 0) > LONGEST_EVENT:
            return HttpResponse("This is larger than any event.", status=413, content_type="text/plain")
        try:
            receiving.receive(endpoint=name, body=request.body, signature=request.headers.get("Stripe-Signature", ""))
        except (receiving.BadSignature, receiving.MalformedEvent) as refusal:
            return HttpResponse(str(refusal), status=400, content_type="text/plain")
        return HttpResponse("stored", content_type="text/plain")

    return view


stripe = _endpoint(InboundEvent.Endpoint.PLATFORM)
stripe_connect = _endpoint(InboundEvent.Endpoint.CONNECT)
