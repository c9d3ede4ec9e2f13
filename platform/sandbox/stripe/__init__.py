"""A stand-in for Stripe, API version 2026-08-26.dahlia: see README.md."""
