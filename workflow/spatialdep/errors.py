"""The one exception whose message is meant for the user."""


class UserError(Exception):
    """A failure that the user can mend: one sentence with what, where, expected and next step."""
