"""What the fixture `sign_in` gives to a test."""

from collections.abc import Awaitable, Callable

from hub.identity.accounts import OpenedSession

SignIn = Callable[[str], Awaitable[OpenedSession]]
