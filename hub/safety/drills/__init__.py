"""Drills of a school year: planned for a moment, started by a person, told as they went."""
