"""The error that is for the user of a tool and not for its developer."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message says what is wrong, where (file, key or id) and what to do.
    The command line tools print it without a traceback.
    """
