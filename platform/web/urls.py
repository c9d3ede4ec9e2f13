"""Addresses of the public pages and of the webhooks."""

from django.urls import path

from web import events, exports, invitations, mailbox, organizations, organizers, pricing, registrations, starting, webhooks

app_name = "web"
urlpatterns = [
    path("", events.listing, name="events"),
    path("events/<slug:slug>", events.detail, name="event"),
    path("events/<slug:slug>/preview", events.preview, name="event_preview"),
    path("registrations", registrations.mine, name="mine"),
    path("registrations/check-mail", registrations.check_mail, name="check_mail"),
    path("registrations/<str:public_id>", registrations.page, name="registration"),
    path("registrations/<str:public_id>/pay", registrations.pay, name="pay"),
    path("registrations/<str:public_id>/cancel", registrations.cancel, name="cancel"),
    path("registrations/<str:public_id>/documents/<str:document_id>", registrations.document, name="document"),
    path("registrations/<str:public_id>/confirm", registrations.confirm, name="confirm"),
    path("payments/<str:public_id>/return", registrations.returned, name="returned"),
    path("invitations/<str:token>", invitations.page, name="invitation"),
    path("pricing", pricing.page, name="pricing"),
    path("start", starting.choose, name="start"),
    path("start/alone", starting.begin, {"kind": "personal"}, name="start_personal"),
    path("start/team", starting.begin, {"kind": "team"}, name="start_team"),
    path("organizers", organizers.listing, name="organizers"),
    path("organizers/<slug:slug>", organizers.profile, name="organizer"),
    path("organizers/<slug:slug>/logo.png", organizers.logo, name="organizer_logo"),
    path("organizations", organizations.mine, name="organizations"),
    path("organizations/new", organizations.new, name="organization_new"),
    path("organizations/offers/<str:public_id>", organizations.answer_offer, name="answer_offer"),
    path("organizations/<str:public_id>/leave", organizations.leave, name="organization_leave"),
    path("exports/<str:key>", exports.page, name="export"),
    path("mailbox", mailbox.listing, name="mailbox"),
    path("mailbox/<str:public_id>", mailbox.letter, name="letter"),
    path("webhooks/stripe", webhooks.stripe, name="stripe"),
    path("webhooks/stripe-connect", webhooks.stripe_connect, name="stripe_connect"),
]
