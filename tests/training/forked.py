"""Runs the command in forked processes, so that a hundred starts import torch only once.

As a program it is the server: it imports the command, and for each line of arguments (JSON) on its
standard input forks a child that runs it, and answers with the child's process id.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

WORKFLOW = Path(__file__).parents[2] / "workflow"


class Child:
    """A command at work."""

    def __init__(self, pid: int, log: Path, status: Path) -> None:
        self.pid, self.log, self._status = pid, log, status

    def wait(self, seconds: float = 120) -> int:
        """Return the exit status, negative for a signal."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.ended:
                return int(self._status.read_text())
            time.sleep(0.005)
        raise TimeoutError(self.log.read_text())

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Wait until the log contains ``text``."""
        end = time.monotonic() + seconds
        while text not in self.log.read_text():
            if time.monotonic() > end or self.ended:
                raise TimeoutError(self.log.read_text())
            time.sleep(0.002)

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._status.exists()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal."""
        os.kill(self.pid, number)


class ForkServer:
    """Starts commands; leave it to end them all."""

    def __enter__(self) -> "ForkServer":
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(WORKFLOW), "OMP_NUM_THREADS": "1"},
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

    def start(self, arguments: list[str], log: Path, memory: int | None = None) -> Child:
        """Start the command with its output in ``log``, with at most ``memory`` more bytes."""
        assert self._server.stdin is not None and self._server.stdout is not None
        log.parent.mkdir(parents=True, exist_ok=True)
        status = log.with_suffix(".status")
        status.unlink(missing_ok=True)
        log.touch()
        order = {"arguments": arguments, "log": str(log), "status": str(status), "memory": memory}
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return Child(int(self._server.stdout.readline()), log, status)


def _serve() -> None:
    import threading

    import torch

    from spatialdep.commands import train

    torch.set_num_threads(1)

    def note(pid: int, path: str) -> None:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        Path(f"{path}.new").write_text(str(status))
        Path(f"{path}.new").rename(path)

    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run(train.main, order)
        print(pid, flush=True)
        threading.Thread(target=note, args=(pid, order["status"])).start()


def _run(main, order) -> None:
    import resource

    from spatialdep import commandline

    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if order["memory"]:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + order["memory"]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        commandline.run(lambda _: main(order["arguments"]))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 99
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve()
