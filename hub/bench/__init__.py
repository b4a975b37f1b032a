"""What the hub's parts cost and miss, measured on scenes that it draws itself, all seeded."""
