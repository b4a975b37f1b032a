"""`vestibule users` and `vestibule token`: accounts and tokens by hand, also beside a running hub.

Whoever may write into the state folder may do everything here: it is the way back in when nobody
else can manage accounts.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli_exit import REFUSED, fail
from hub.cli_options import AsJson, State, state_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

users = typer.Typer(help="Accounts of people who sign in.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens for scripts.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What the person signs in with.")]


def with_accounts(state: Path | None, work: Callable[[Connection], Any]) -> Any:
    """Run `work(connection)` on the journal's accounts, also while a hub runs."""
    from hub.origin import THIS_MACHINE, account_here, origin
    from hub.storage.folder import StateFolder
    from hub.storage.journal import open_engine

    folder = StateFolder(state_folder(state))
    folder.open()
    engine = open_engine(folder.journal)
    try:
        with engine.begin() as connection, origin(account_here(), THIS_MACHINE):
            return work(connection)
    finally:
        engine.dispose()


def known_roles(state: Path | None) -> Any:
    """The roles of the configuration that ran last in a state folder."""
    from hub.kept_roles import roles_that_ran
    from hub.storage.folder import StateFolder

    return roles_that_ran(StateFolder(state_folder(state)).configs)


def _somebody(state: Path | None, name: str, work: Callable[[Connection, str], Any]) -> Any:
    """Run `work(connection, name)` for an account that there is, else say which there are."""
    from sqlalchemy import select

    from hub.identity.accounts import plain_name
    from hub.storage.identity_tables import users as accounts

    wanted = plain_name(name)

    def look(conn: Connection) -> Any:
        known = sorted(conn.execute(select(accounts.c.name)).scalars())
        if wanted not in known:
            there = ", ".join(known) or "none"
            raise fail(f"there is no account {wanted}; there is {there}", REFUSED)
        return work(conn, wanted)

    return with_accounts(state, look)


@users.command("add")
def users_add(
    name: Name,
    role: Annotated[str, typer.Option(help="What they may do, such as sro or front_office.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    state: State = None,
) -> None:
    """Make an account, or give an existing one a new password and role."""
    from hub.identity.accounts import set_user
    from hub.identity.guessable import refuse_guessable
    from hub.identity.passwords import check_strength, hash_password

    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    check_strength(password)
    refuse_guessable(password, [name])
    hashed = hash_password(password)
    roles = known_roles(state)
    with_accounts(state, lambda c: set_user(c, name, role, hashed, roles=roles))
    print(f"{name} may now sign in as {role}.")


@users.command("list")
def users_list(json_: AsJson = False, state: State = None) -> None:
    """Show every account: role, second factor, sessions, whether it is locked out."""
    import json

    from hub.clock import SystemClock
    from hub.identity import people

    found = with_accounts(state, lambda c: people.every(c, SystemClock().now()))
    if json_:
        print(json.dumps([people.told(each) for each in found], indent=2, ensure_ascii=False))
        return
    for each in found:
        notes = [each.role, "a second factor" if each.factors.any else "a password alone"]
        notes += ["the provider's"] if each.outside else []
        notes += ["no password chosen yet"] if not each.ready else []
        notes += [f"locked out since {each.locked}"] if each.locked else []
        notes += [f"last here {each.last_used}"] if each.last_used else []
        print(f"{each.name}: {', '.join(notes)}")


@users.command("link")
def users_link(name: Name, state: State = None) -> None:
    """Print a path behind which somebody chooses another password: once, and for two days."""
    from hub.clock import SystemClock
    from hub.identity.setup_links import FOR_PEOPLE, create_setup_link
    from hub.origin import account_here

    now = SystemClock().now()
    secret = _somebody(
        state,
        name,
        lambda c, who: create_setup_link(c, now, FOR_PEOPLE, user=who, by=account_here()),
    )
    print(f"/setup/{secret}")


@users.command("unlock")
def users_unlock(name: Name, state: State = None) -> None:
    """Let somebody in again who was locked out."""
    from hub.clock import SystemClock
    from hub.identity.people import let_in

    _somebody(state, name, lambda c, who: let_in(c, who, SystemClock().now()))
    print(f"{name} is not locked out.")


@users.command("forget-factors")
def users_forget(name: Name, state: State = None) -> None:
    """Take somebody's second factors away, after a lost phone."""
    from hub.clock import SystemClock
    from hub.identity.factors import forget_factors

    _somebody(state, name, lambda c, who: forget_factors(c, who, SystemClock().now()))
    print(f"{name} signs in with the password alone.")


@tokens.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    role: Annotated[str, typer.Option(help="What its bearer may do.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Only this permission of the role; may be given several times."),
    ] = None,
    days: Annotated[int, typer.Option(help="For how many days; 0 is for ever.", min=0)] = 0,
    state: State = None,
) -> None:
    """Make a token and print it, once and alone."""
    from hub.identity.accounts import create_token
    from hub.origin import account_here

    roles = known_roles(state)
    life = timedelta(days=days) if days else None
    print(
        with_accounts(
            state,
            lambda c: create_token(
                c, name, role, roles=roles, scopes=scope or (), life=life, by=account_here()
            ),
        )
    )


@tokens.command("list")
def token_list(state: State = None) -> None:
    """Show the tokens that are not revoked; never the tokens themselves."""
    from hub.identity.people import every_token

    for each in with_accounts(state, every_token):
        notes = [each.role, *(["only " + ", ".join(each.scopes.split())] if each.scopes else [])]
        notes += [f"until {each.expires}"] if each.expires else []
        notes += [f"last used {each.last_used}" if each.last_used else "never used"]
        print(f"{each.name}: {', '.join(notes)}")


@tokens.command("revoke")
def token_revoke(
    name: Annotated[str, typer.Argument(help="What the token is called.")], state: State = None
) -> None:
    """End a token, for good."""
    from hub.identity.accounts import revoke_token

    if not with_accounts(state, lambda c: revoke_token(c, name)):
        raise fail(f"there is no token {name}; see `vestibule token list`", REFUSED)
    print(f"The token {name} works no more.")
