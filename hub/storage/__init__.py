"""What survives: the state folder, the journal and its tables."""
