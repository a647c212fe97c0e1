"""``crossfade users …`` and their options; what they do is imported when they are called."""

from typing import Annotated

import typer

from crossfade.cli.options import AsJson, Data, Url
from crossfade.core.role import Role

users_app = typer.Typer(no_args_is_help=False, help="Shows and manages who may sign in.")

Name = Annotated[str, typer.Argument(help="The user's name.")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from one line of standard input, "
                                     "instead of asking for it.")]


@users_app.callback(invoke_without_command=True)
def users(context: typer.Context, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Without a command: shows the users."""
    if context.invoked_subcommand is None:
        from crossfade.cli import users as command

        command.show(url=url, data=data, as_json=as_json)


@users_app.command("list")
def list_users(url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Shows the users, with their roles and sessions."""
    from crossfade.cli import users as command

    command.show(url=url, data=data, as_json=as_json)


@users_app.command("add")
def add_user(
    name: Name,
    role: Annotated[Role, typer.Option(help="viewer reads, operator acts, admin manages users too.")]
    = Role.VIEWER,
    link: Annotated[bool, typer.Option("--link", help="No password: print a link that signs in once.")] = False,
    stdin: Stdin = False, *, url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Adds a user, with a password that is asked for twice."""
    from crossfade.cli import users as command

    if link and stdin:
        raise typer.BadParameter("give a password, or have a link made", param_hint="--link")
    command.add(name, role=role.value, link=link, stdin=stdin, url=url, data=data, as_json=as_json)


@users_app.command("role")
def change_role(
    name: Name, role: Annotated[Role, typer.Argument(help="viewer, operator or admin.")],
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Gives a user another role, at once."""
    from crossfade.cli import users as command

    command.change(name, {"role": role.value}, f"is {role.value} now", url=url, data=data, as_json=as_json)


@users_app.command("password")
def change_password(name: Name, stdin: Stdin = False, *, url: Url = None, data: Data = None,
                    as_json: AsJson = False) -> None:
    """Gives a user another password, and signs the user out everywhere."""
    from crossfade.cli import users as command

    command.password(name, stdin=stdin, url=url, data=data, as_json=as_json)


@users_app.command("disable")
def disable_user(name: Name, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Keeps a user out, from now on, and signs the user out everywhere."""
    from crossfade.cli import users as command

    command.change(name, {"disabled": True}, "is disabled, and signed out everywhere", url=url, data=data,
                   as_json=as_json)


@users_app.command("enable")
def enable_user(name: Name, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Lets a user who was disabled sign in again."""
    from crossfade.cli import users as command

    command.change(name, {"disabled": False}, "may sign in again", url=url, data=data, as_json=as_json)


@users_app.command("remove")
def remove_user(name: Name, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Removes a user; what the audit log says of the user stays."""
    from crossfade.cli import users as command

    command.remove(name, url=url, data=data, as_json=as_json)


@users_app.command("link")
def make_link(name: Name, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Prints a link that signs a user in, once, within 15 minutes."""
    from crossfade.cli import users as command

    command.link(name, url=url, data=data, as_json=as_json)


@users_app.command("sign-out")
def sign_out(name: Name, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Signs a user out everywhere."""
    from crossfade.cli import users as command

    command.sign_out(name, url=url, data=data, as_json=as_json)
