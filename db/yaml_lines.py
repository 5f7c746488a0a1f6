"""Keys of a YAML text and the lines where they stand, for messages about a configuration."""

from typing import Any

import yaml

__all__ = ["line_of", "read_yaml", "repeated_key"]


def read_yaml(text: str) -> tuple[yaml.Node | None, Any, tuple[str, int] | None]:
    """Read a text of one section: its nodes, its values, and the first key that is given twice, with its line.

    Raises YAMLError, RecursionError for brackets within each other, and ValueError for numbers that cannot be.
    """
    loader = yaml.SafeLoader(text)
    root = loader.get_single_node()
    repeated = repeated_key(root)  # before sections that are merged into others (<<) become parts of them
    data = None if root is None else loader.construct_document(root)
    return root, {} if data is None else data, repeated


def repeated_key(node: yaml.Node | None) -> tuple[str, int] | None:
    """Find the first key that is given twice in one section, and its line."""
    if isinstance(node, yaml.SequenceNode):
        return next((inner for part in node.value if (inner := repeated_key(part)) is not None), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            return key.value, key.start_mark.line + 1
        seen.add(key.value)
        if (inner := repeated_key(value)) is not None:
            return inner
    return None


def line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """Find the line of a key, or of the nearest part around it, counted from 1."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            # A section's own keys are behind those that are merged into it.
            found = next(((k, v) for k, v in reversed(node.value) if k.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
