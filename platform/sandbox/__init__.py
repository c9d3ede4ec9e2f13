"""Stateful stand-ins for outside services, served over HTTP. They import no app and no app imports them."""
