"""From a decision to each person, and what became of it."""
