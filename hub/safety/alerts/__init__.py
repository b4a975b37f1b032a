"""The life of an alert: raised, joined, judged, escalated, watched over."""
