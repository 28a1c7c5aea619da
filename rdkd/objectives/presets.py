"""Named sets of arguments: a method as its authors have it."""
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from rdkd.errors import InputError

Presets = Mapping[str, Mapping[str, Any]]


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
        @functools.wraps(init)
        def filled(self: Any, *args: Any, preset: str | None = None,
                   **kwargs: Any) -> None:
            if preset is not None:
                if preset not in presets:
                    raise InputError(
                        f'{type(self).__name__} has no preset {preset!r}; '
                        f'there are: {", ".join(presets)}.')
                kwargs = {**presets[preset], **kwargs}
            init(self, *args, **kwargs)

        filled.presets = presets  # type: ignore[attr-defined]
        given = inspect.signature(init)
        filled.__signature__ = given.replace(parameters=[  # type: ignore
            *given.parameters.values(),
            inspect.Parameter('preset', inspect.Parameter.KEYWORD_ONLY,
                              default=None)])
        return filled
    return decorate
