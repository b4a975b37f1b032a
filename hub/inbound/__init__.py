"""What other systems report: signed messages from outside, turned into events of the hub's own."""
