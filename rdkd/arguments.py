"""Arguments of registered parts, held to what their signatures say.

A config can give any value to any argument.  ``@checked`` on an ``__init__``
compares what it gets with its annotations, before anything is built::

    @checked
    def __init__(self, loss_weight: NotNegative, review: bool = True): ...

Nothing is converted: a config says what the run uses, to the letter.
"""
import functools
import inspect
import math
import reprlib
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from rdkd.errors import InputError

_Init = TypeVar('_Init', bound=Callable[..., None])


@dataclass(frozen=True)
class Range:
    """The numbers that are allowed.

    Attributes:
        low: The least of them.
        high: The largest.  Defaults to none.
        above: Whether ``low`` itself is left out.  Defaults to False.
    """
    low: float
    high: float = math.inf
    above: bool = False

    def holds(self, value: Any) -> bool:
        """Whether a number is in it."""
        return self.low <= value <= self.high and not (
            self.above and value == self.low)

    def __str__(self) -> str:
        if self.above:
            return f'above {self.low}'
        if self.high == math.inf:
            return f'of at least {self.low}'
        return f'from {self.low} to {self.high}'


class Typed:
    """Dicts that say which registered part they are the config of."""

    def holds(self, value: Any) -> bool:
        """Whether a dict is one."""
        return 'type' in value

    def __str__(self) -> str:
        return 'with `type`'


NotNegative = Annotated[float, Range(0)]
Positive = Annotated[float, Range(0, above=True)]
Share = Annotated[float, Range(0, 1)]
Count = Annotated[int, Range(1)]
#: Seeds that NumPy's global generator takes, and with it MMEngine.
SEEDS = Range(0, 2**32 - 1)
#: A registered part's config.
Part = Annotated[Mapping[str, Any], Typed()]


def up_to(high: int) -> Any:
    """The annotation of whole numbers from 1 to another."""
    return Annotated[int, Range(1, high)]


#: What a value of a type is called, and whether one is of it.
_KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    types.NoneType: ('None', lambda value: value is None),
    bool: ('True or False', lambda value: isinstance(value, bool)),
    int: ('a whole number', lambda value: isinstance(value, Integral)
          and not isinstance(value, bool)),
    float: ('a number', lambda value: isinstance(value, Real)
            and not isinstance(value, bool) and math.isfinite(value)),
    str: ('a string', lambda value: isinstance(value, str)),
    Mapping: ('a dict', lambda value: isinstance(value, Mapping)),
    Sequence: ('a list', lambda value: isinstance(value, Sequence)
               and not isinstance(value, str)),
}


def _allowed(value: Any, hint: Any) -> tuple[bool, str]:
    """Whether an annotation allows a value, and what it allows in words."""
    origin = get_origin(hint) or hint
    inner = get_args(hint)
    if origin in (Union, types.UnionType):
        found = [_allowed(value, each) for each in inner]
        return (any(fits for fits, _ in found),
                ' or '.join(words for _, words in found))
    if origin is Annotated:
        fits, words = _allowed(value, inner[0])
        rule = inner[1]
        return fits and rule.holds(value), f'{words} {rule}'
    if origin not in _KINDS:
        return True, 'anything'
    words, is_one = _KINDS[origin]
    fits = is_one(value)
    if origin in (Mapping, Sequence) and inner and inner[-1] is not Any:
        entries = list(value.values() if origin is Mapping else value
                       ) if fits else [None]
        each = [_allowed(entry, inner[-1]) for entry in entries or [None]]
        fits = fits and (not entries or all(ok for ok, _ in each))
        words += f' whose entries are each {each[0][1]}'
    return fits, words


def require(owner: str, name: str, value: Any, hint: Any) -> None:
    """Refuse a value that an annotation does not allow.

    Args:
        owner (str): Whose argument it is, for the message.
        name (str): Of the argument.
        value: Its value.
        hint: The annotation: of ``bool``, ``int``, ``float`` (finite),
            ``str``, ``Mapping``, ``Sequence``, None, their unions, and
            ``Annotated`` with :class:`Range` or :class:`Typed`.  Others allow
            anything.

    Raises:
        InputError: Says what is allowed.

    Example:
        >>> require('Circle', 'red', 'off', bool)
        Traceback (most recent call last):
        rdkd.errors.InputError: Circle: red is 'off'; it must be True or False.
    """
    fits, words = _allowed(value, hint)
    if not fits:
        raise InputError(f'{owner}: {name} is {reprlib.repr(value)}; it must '
                         f'be {words}.')


def checked(init: _Init) -> _Init:
    """Let an ``__init__`` refuse what its annotations do not allow.

    Its attribute ``check`` does so without a call: ``check(owner,
    arguments)``.
    """
    hints = get_type_hints(init, include_extras=True)
    signature = inspect.signature(init)

    def check(owner: str, arguments: Mapping[str, Any]) -> None:
        for name, value in arguments.items():
            require(owner, name, value, hints.get(name, Any))

    @functools.wraps(init)
    def built(self: Any, *args: Any, **kwargs: Any) -> None:
        given = dict(signature.bind(self, *args, **kwargs).arguments)
        del given['self']
        check(type(self).__name__, given)
        init(self, *args, **kwargs)

    built.check = check  # type: ignore[attr-defined]
    return built  # type: ignore[return-value]
