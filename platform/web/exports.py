"""The export of an organization, for whoever has the link that was mailed."""

from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from core.errors import NotFound
from organizations import exports
from web.acting import actor


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, key: str) -> HttpResponseBase:
    """A page with one button, because mail programs follow links by themselves; then the file."""
    if request.method != "POST":
        answer: HttpResponseBase = render(request, "web/export.html")
    else:
        try:
            export = exports.fetch(key=key, by=actor(request))
        except NotFound as error:
            raise Http404 from error
        name = str(export.bundle.name).rpartition("/")[2]
        answer = FileResponse(export.bundle.open("rb"), as_attachment=True, filename=name, content_type="application/zip")
    answer["X-Robots-Tag"] = "noindex, nofollow"
    answer["Cache-Control"] = "private, no-store"
    return answer
