"""Protocols: started in one gesture, in force until people end them, told door by door."""
