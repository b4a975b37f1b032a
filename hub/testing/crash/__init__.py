"""Proof that nothing is lost: a hub's core is killed, its disk cut back to what was synced, and the
journal held against what the world outside got to see.
"""
