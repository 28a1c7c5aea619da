"""Whether a checkpoint is of the model and optimizer that continue it."""
import ast
from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from typing import Any

from torch import Tensor

from rdkd.data.coco import some


class _DictCalls(ast.NodeTransformer):
    """Turns ``dict(a=1)`` into ``{'a': 1}``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Turn one call; what is no ``dict`` stays, and is no literal."""
        self.generic_visit(node)
        if not (isinstance(node.func, ast.Name) and node.func.id == 'dict'
                and not node.args
                and all(each.arg for each in node.keywords)):
            return node
        return ast.Dict([ast.Constant(each.arg) for each in node.keywords],
                        [each.value for each in node.keywords])


def _settings(text: str) -> dict[str, Any]:
    """Read a config's text without running it; empty if it is not plain."""
    try:
        return {
            line.targets[0].id: ast.literal_eval(_DictCalls().visit(
                line.value))
            for line in ast.parse(text).body
            if isinstance(line, ast.Assign)
            and isinstance(line.targets[0], ast.Name)}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return {}


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """All settings in a value, by their full name."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, f'{name}.{key}')
    else:
        yield name, value


def changed_settings(before: str, now: str) -> list[str]:
    """What two configs say differently of the model and its optimizer.

    Args:
        before (str): Text of the one.  Code in it does not run.
        now (str): Text of the other.

    Returns:
        list[str]: ``NAME was VALUE and is VALUE``; empty if a text is no
        plain one.
    """
    texts = [_settings(text) for text in (before, now)]
    if not all(texts):
        return []
    old, new = ({name: value for part in ('model', 'optim_wrapper')
                 for name, value in _flat(text.get(part), part)}
                for text in texts)
    nothing = object()

    def told(value: Any) -> str:
        return 'not set' if value is nothing else shorten(repr(value), 80)

    return [f'{name} was {told(old.get(name, nothing))} and is '
            f'{told(new.get(name, nothing))}'
            for name in {**old, **new}
            if old.get(name, nothing) != new.get(name, nothing)]


def changed_tensors(before: Mapping[str, Tensor], now: Mapping[str, Tensor]
                    ) -> list[str]:
    """How the tensors of two state dicts differ in name and shape.

    Args:
        before (Mapping[str, Tensor]): The checkpoint's.
        now (Mapping[str, Tensor]): The model's.

    Returns:
        list[str]: A sentence for each kind of difference; empty for none.
    """
    before = {key.removeprefix('module.'): value
              for key, value in before.items()}
    missing = [key for key in now if key not in before]
    unknown = [key for key in before if key not in now]
    shapes = [f'{key} ({tuple(before[key].shape)} in the checkpoint, '
              f'{tuple(value.shape)} in the model)'
              for key, value in now.items()
              if key in before and before[key].shape != value.shape]
    return [f'{what}: {some(keys, 3)}' for what, keys in (
        ('only the model has', missing),
        ('only the checkpoint has', unknown),
        ('of another shape', shapes)) if keys]


def changed_groups(before: Sequence[Mapping[str, Any]],
                   now: Sequence[Mapping[str, Any]]) -> list[str]:
    """How the parameter groups of two optimizers differ.

    Args:
        before (Sequence[Mapping]): The checkpoint's.
        now (Sequence[Mapping]): The optimizer's.

    Returns:
        list[str]: A sentence for each difference; empty for none.
    """
    sizes = [[len(group['params']) for group in groups]
             for groups in (before, now)]
    if sizes[0] != sizes[1]:
        return ['the optimizer has {} parameters in {} groups, the '
                'checkpoint\'s {} in {}'.format(
                    *(count for each in reversed(sizes)
                      for count in (sum(each), len(each))))]
    missing = sorted({name for old, new in zip(before, now, strict=True)
                      for name in set(new) - set(old)})
    return ([f'the checkpoint\'s optimizer has no setting {some(missing)}']
            if missing else [])
