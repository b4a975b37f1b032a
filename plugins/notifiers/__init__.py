"""Built-in drivers of the kind `notifiers`."""
