"""Small wrongs put into a module's source one at a time: what its tests should notice (docs/mutation.md)."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

Change = tuple[str, ast.AST]
"""What is said of it, and what stands in the node's place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One wrong. `lines` are those of its statement, without the body of a compound one."""

    line: int
    lines: range
    said: str


COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
NAMED = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}
DROPPED = (ast.AugAssign, ast.Raise, ast.Continue, ast.Break)
NOT_CODE = {"annotation", "returns", "decorator_list", "type_params"}


def mutants_of(tree: ast.Module) -> Iterator[Mutant]:
    """Put each wrong into the tree in turn; it stands there until the next is asked for."""
    for holder, field, node, lines in list(_places(tree, range(0))):
        for said, new in _changes(node):
            _put(holder, field, node, new)
            yield Mutant(line=getattr(node, "lineno", lines.start), lines=lines, said=said)
            _put(holder, field, new, node)


def _places(node: ast.AST, lines: range) -> Iterator[tuple[ast.AST, str, ast.AST, range]]:
    for field, value in ast.iter_fields(node):
        if field in NOT_CODE:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            own = _own_lines(child) if isinstance(child, ast.stmt) else lines
            yield node, field, child, own
            yield from _places(child, own)


def _own_lines(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    return range(statement.lineno, body[0].lineno if body else (statement.end_lineno or statement.lineno) + 1)


def _put(holder: ast.AST, field: str, old: ast.AST, new: ast.AST) -> None:
    held = getattr(holder, field)
    if isinstance(held, list):
        held[next(i for i, each in enumerate(held) if each is old)] = new
    else:
        setattr(holder, field, new)


def _changes(node: ast.AST) -> Iterator[Change]:
    """Say what may stand in a node's place."""
    for new in _replacements(node):
        if isinstance(node, ast.stmt | ast.expr):
            ast.fix_missing_locations(ast.copy_location(new, node))
        yield f"{_written(node)}  ->  {_written(new)}", new


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=others):
            for i, op in enumerate(ops):
                yield ast.Compare(left, [*ops[:i], COMPARED[type(op)](), *ops[i + 1 :]], others)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            for i in range(len(values)):
                rest = [*values[:i], *values[i + 1 :]]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in CALCULATED:
            yield ast.BinOp(left, CALCULATED[type(op)](), right)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Name(id=name, ctx=ctx) if name in NAMED:
            yield ast.Name(NAMED[name], ctx)
        case ast.Attribute(value=value, attr=name, ctx=ctx) if name in NAMED:
            yield ast.Attribute(value, NAMED[name], ctx)
        case ast.comprehension(ifs=[_, *_]):
            yield ast.comprehension(node.target, node.iter, [], node.is_async)
        case ast.stmt():
            yield from _statements(node)


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.If(test=test, body=body, orelse=orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in CALCULATED:
            yield from (ast.Pass(), ast.AugAssign(target, CALCULATED[type(op)](), value))
        case ast.Expr(value=value) if not isinstance(value, ast.Constant):
            yield ast.Pass()
        case ast.Assign(targets=targets) if not any(isinstance(each, ast.Name) for each in targets):
            yield ast.Pass()
        case _ if isinstance(node, DROPPED):
            yield ast.Pass()


def _written(node: ast.AST) -> str:
    if isinstance(node, ast.comprehension):
        return ast.unparse(ast.GeneratorExp(ast.Name("_"), [node]))
    return ast.unparse(node).split("\n")[0].strip()
