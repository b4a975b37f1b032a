"""Proof that no alert goes unheard: thousands of alerts over a scripted day, while channels fail
and the hub is killed again and again, held against what receivers got and when.
"""
