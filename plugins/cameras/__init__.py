"""Built-in drivers of the kind `cameras`."""
