"""Built-in drivers of the kind `visitors`."""
