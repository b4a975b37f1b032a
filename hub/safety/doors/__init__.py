"""Doors: what was asked, what is reported, what is so."""
