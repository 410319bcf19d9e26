"""Removes spatial information from the last layers of ConvNets and reports what is lost."""

from pathlib import Path

__version__ = "0.1.0"

# When each file was changed last, as this process began to load them.
CHANGED_AT = {path: path.stat().st_mtime_ns for path in Path(__file__).parent.rglob("*.py")}
