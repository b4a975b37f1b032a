"""Built-in drivers of the kind `access_control`."""
