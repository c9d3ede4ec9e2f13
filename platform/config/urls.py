"""Every address of the product."""

from django.urls import include, path

from admin_ext.sites import console_site, staff_site
from config import health
from public_api.api import api

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("staff/", staff_site.urls),
    path("console/", console_site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/v1/auth/", include("allauth.headless.urls")),
    path("api/v1/", api.urls),
    path("", include("web.urls")),
]
