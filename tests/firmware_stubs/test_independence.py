"""The stubs are an oracle: they share no code with what they are there to check."""

import ast
from pathlib import Path

import firmware_stubs

ROOM = Path(firmware_stubs.__file__).parent
OURS = {path.name for path in ROOM.parent.iterdir() if (path / "__init__.py").is_file()} - {ROOM.name}


def test_nothing_of_ours_is_imported() -> None:
    assert "vitals" in OURS
    imported = {
        (path.name, name.split(".")[0])
        for path in ROOM.glob("**/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _imports(node)
    }
    assert [found for found in imported if found[1] in OURS] == []


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
