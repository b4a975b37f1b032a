"""Built-in drivers of the kind `detectors`."""
