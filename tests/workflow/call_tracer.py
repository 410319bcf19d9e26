"""Notes which functions of the package each job calls.

Copied as sitecustomize.py beside the package, so that Python runs it at the start of every job. A
call is written at once, since a process may end in ways that leave no time for it.
"""

import json
import os
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType

PACKAGE = f"{Path(__file__).parent}/spatialdep/"
CALLS = Path(__file__).parent.parent.parent / "calls.jsonl"

# Processes that a job starts belong to it.
command = json.loads(os.environ.setdefault("TRACED_COMMAND", json.dumps(sys.orig_argv)))
seen: dict[int, CodeType] = {}


def note(frame: FrameType, event: str, _: object) -> None:
    code = frame.f_code
    if event == "call" and id(code) not in seen:
        seen[id(code)] = code
        if code.co_filename.startswith(PACKAGE):
            file = code.co_filename.removeprefix(PACKAGE)
            with CALLS.open("a") as stream:
                print(json.dumps([command, file, code.co_qualname]), file=stream)


threading.setprofile(note)
sys.setprofile(note)
