"""Subscriptions and what comes of them: items, invoices, renewals, dunning, the portal."""
