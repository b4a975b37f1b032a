"""What rules make of events: remembered, judged, replayed."""
