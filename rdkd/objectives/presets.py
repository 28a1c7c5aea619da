"""Named sets of arguments: a method as its authors have it."""
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from rdkd.errors import InputError

Presets = Mapping[str, Mapping[str, Any]]


def expand(presets: Presets, name: str, given: Mapping[str, Any], owner: str
           ) -> dict[str, Any]:
    """The arguments that a preset stands for, and those beside it, which win.

    A mapping beside it that names no other ``type`` changes single entries of
    the preset's.

    Args:
        presets (Mapping): Arguments by the preset's name.
        name (str): Of the preset.
        given (Mapping): The arguments beside it.
        owner (str): Whose presets these are, for the message.

    Raises:
        InputError: If there is no such preset.
    """
    if name not in presets:
        raise InputError(
            f'{owner} has no preset {name!r}; there '
            f'are: {", ".join(presets) or "none"}.')
    arguments = {**presets[name], **given}
    for key, value in given.items():
        preset = presets[name].get(key)
        if isinstance(value, Mapping) and isinstance(preset, Mapping) and (
                'type' not in value):
            arguments[key] = {**preset, **value}
    return arguments


def without_preset(part: Mapping[str, Any], init: Any) -> dict[str, Any]:
    """A part's config with its preset written out.

    Args:
        part (Mapping): With ``type``.
        init (Callable): The part's ``__init__``; a ``preset`` of one that
            :func:`with_presets` did not decorate is an argument like others.

    Raises:
        InputError: If there is no such preset.
    """
    settings, presets = dict(part), getattr(init, 'presets', None)
    if presets is None:
        return settings
    preset = settings.pop('preset', None)
    if preset is None:
        return settings
    return expand(presets, preset, settings, part['type'])


def with_presets(presets: Presets) -> Callable[[Any], Any]:
    """Let an ``__init__`` take ``preset='name'``.

    A preset stands for its arguments; those that are given beside it win.

    Args:
        presets (Mapping): Arguments by the preset's name.

    Example:
        >>> class Circle:
        ...     @with_presets(dict(unit=dict(radius=1)))
        ...     def __init__(self, radius, color='red'):
        ...         self.radius, self.color = radius, color
        >>> Circle(preset='unit').radius
        1
        >>> Circle(preset='unit', radius=2).radius
        2
    """
    def decorate(init: Any) -> Any:
        signature = inspect.signature(init)

        @functools.wraps(init)
        def filled(self: Any, *args: Any, preset: str | None = None,
                   **kwargs: Any) -> None:
            if preset is not None:
                given = signature.bind_partial(self, *args, **kwargs).arguments
                del given['self']
                args, kwargs = (), expand(presets, preset, given,
                                          type(self).__name__)
            init(self, *args, **kwargs)

        filled.presets = presets  # type: ignore[attr-defined]
        filled.__signature__ = signature.replace(  # type: ignore
            parameters=[
                *signature.parameters.values(),
                inspect.Parameter('preset', inspect.Parameter.KEYWORD_ONLY,
                                  default=None)])
        return filled
    return decorate
