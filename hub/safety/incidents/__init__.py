"""Incidents: their story, the people in them, what is near, the report."""
