"""A machine document as text, one part a line, so that a change of one magnet is a change of one line."""

import json
from typing import Any


def render(document: dict[str, Any]) -> str:
    """Render the document as JSON."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value:
            body = ",\n".join("    " + json.dumps(v, ensure_ascii=False) for v in value)
            lines.append(f"  {json.dumps(key)}: [\n{body}\n  ]")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
