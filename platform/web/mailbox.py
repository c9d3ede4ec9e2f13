"""The demo's mailbox: what would have been mailed, to be read in the browser. It does not exist anywhere else."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from notifications.models import Message
from web.acting import key_of


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    _only_in_the_demo()
    words = request.GET.get("to", "").strip()[:254]
    rows = Message.objects.order_by("-id")
    rows = rows.filter(to__icontains=words) if words else rows
    return render(request, "web/mailbox.html", {"letters": rows[:50], "to": words})


@require_GET
def letter(request: HttpRequest, public_id: str) -> HttpResponse:
    _only_in_the_demo()
    found = get_object_or_404(Message, pk=key_of(Message.public_prefix, public_id))
    return render(request, "web/letter.html", {"letter": found})


def _only_in_the_demo() -> None:
    if not settings.IS_DEMO:
        raise Http404
