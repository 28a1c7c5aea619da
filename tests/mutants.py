"""Every way in which tests/mutation.py breaks a file."""
import ast
import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn,
    ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}
NAMES = dict(min='max', any='all', amin='amax', minimum='maximum',
             floor='ceil', append='clear', removeprefix='removesuffix')
NAMES |= {new: old for old, new in NAMES.items()}
#: What is raised or formatted: messages are no promise.
UNCHANGED = ast.Raise, ast.JoinedStr, ast.ImportFrom
#: Calls that cannot be left out: what they return is of another kind.
KEPT = {'len', 'range', 'isinstance', 'zip', 'enumerate', 'super', 'dict',
        'getattr', 'hasattr', 'sum', 'field', 'open', 'type'}


class Mutant(NamedTuple):
    """A file with one change."""
    name: str
    tree: ast.Module


def changed(node: Any, **fields: Any) -> Any:
    """A copy of a node with other fields."""
    new = copy.copy(node)
    for field, value in fields.items():
        setattr(new, field, value)
    return new


def without(node: ast.AST, field: str) -> Iterator[ast.AST]:
    """Copies of a node, each without one of a field's entries."""
    entries = getattr(node, field)
    for i, entry in enumerate(entries):
        if not strict(entry):
            yield changed(node, **{field: entries[:i] + entries[i + 1:]})


def strict(node: ast.AST) -> bool:
    """Whether it is ``zip``'s ``strict=True``: an assertion, no behavior."""
    return isinstance(node, ast.keyword) and node.arg == 'strict'


def expressions(node: ast.AST, modules: set[str]) -> Iterator[ast.AST]:
    """What may stand in an expression's place."""
    match node:
        case ast.Constant(value=bool()):
            yield changed(node, value=not node.value)
        case ast.Constant(value=int() | float()):
            yield changed(node, value=node.value + 1)
        case ast.Name(id=name) if name in NAMES:
            yield changed(node, id=NAMES[name])
        case ast.Attribute(attr=name) if name in NAMES:
            yield changed(node, attr=NAMES[name])
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.BinOp(left=left, op=op, right=right):
            yield from (left, right)
            if type(op) in SWAPS:
                yield changed(node, op=SWAPS[type(op)]())
        case ast.BoolOp(values=[left, right]):
            yield from (left, right)
        case ast.BoolOp():
            yield from without(node, 'values')
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                yield changed(node, ops=[*ops[:i], SWAPS[type(op)](),
                                         *ops[i + 1:]])
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.Slice(lower=lower, upper=upper):
            if lower:
                yield changed(node, lower=None)
            if upper:
                yield changed(node, upper=None)
        case ast.comprehension():
            yield from without(node, 'ifs')
        case ast.Call(func=func, args=args):
            yield from without(node, 'keywords')
            match func:
                case ast.Attribute(value=ast.Name(id=name)) if (
                        name in modules or name == 'self'):
                    yield from args[:1]
                case ast.Attribute(value=value):
                    yield value
                case ast.Name(id=name) if name not in KEPT:
                    yield from args[:1]


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in a statement's place."""
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            yield from without(node, 'decorator_list')
        case ast.If():
            yield changed(node, test=ast.Constant(True))
            yield changed(node, test=ast.Constant(False))
        case ast.While():
            yield changed(node, test=ast.Constant(False))
        case ast.With(body=body):
            yield ast.If(ast.Constant(True), body, [])
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case (ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom())
              | ast.AugAssign() | ast.Delete()
              | ast.Assign(targets=[ast.Attribute() | ast.Subscript()])):
            yield ast.Pass()


def walk(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every node that may be changed, with where it hangs."""
    for field, value in ast.iter_fields(node):
        if field in ('annotation', 'returns', 'decorator_list', 'bases'):
            continue
        many = isinstance(value, list)
        for index, child in enumerate(value if many else [value]):
            if isinstance(child, ast.AST) and not strict(
                    child) and not isinstance(child, UNCHANGED):
                yield node, field, index if many else None, child
                yield from walk(child)


def mutants_of(source: str) -> Iterator[Mutant]:
    """Every mutant of a file; its tree is good until the next is asked for.

    Args:
        source (str): The file's text.
    """
    tree = ast.parse(source)
    modules = {alias.asname or alias.name.partition('.')[0]
               for node in ast.walk(tree) if isinstance(node, ast.Import)
               for alias in node.names}
    names: Counter[str] = Counter()
    for parent, field, index, node in list(walk(tree)):
        for new in (*expressions(node, modules), *statements(node)):
            line = getattr(node, 'lineno', getattr(parent, 'lineno', 0))
            name = f'{line}: {text(node)} -> {text(new)}'
            names[name] += 1
            if names[name] > 1:
                name += f' ({names[name]})'
            put(parent, field, index, new)
            yield Mutant(name, ast.fix_missing_locations(tree))
            put(parent, field, index, node)


def put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    """Hang a node into a tree."""
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def text(node: ast.AST) -> str:
    """The first line of a node as code, cut where it is long."""
    code = ast.unparse(node).strip()
    decorators = getattr(node, 'decorator_list', None)
    if decorators is not None:
        code = ' '.join(['decorators', *map(ast.unparse, decorators)])
    first = code.splitlines()[0] if code else ''
    return first if len(first) <= 60 else f'{first[:57]}...'
