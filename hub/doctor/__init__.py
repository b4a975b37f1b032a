"""`vestibule doctor`: go out and try what a check of the configuration must not.

A probe is an async function that yields findings (`finding`). The subjects have a module each;
`run` lets all probes run side by side, each with a deadline of its own, and `report` prints what
came of them. Nothing here takes the state folder's lock, sends a notice or moves a door, so that it
may run beside the hub.
"""
