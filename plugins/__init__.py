"""Built-in drivers. Each module here uses only what `hub` exports."""
