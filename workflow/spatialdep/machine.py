"""What planning asks of the machine it runs on."""

import os
import sys
from pathlib import Path

DEVICES = Path("/dev")


def sees_gpu() -> bool:
    """Whether an NVIDIA GPU is at hand, told without importing torch."""
    return any(DEVICES.glob("nvidia[0-9]*"))


def use_this_interpreter() -> None:
    """Let jobs find the Python that runs Snakemake, also where its environment is not activated.

    An environment that Snakemake deploys for a job still comes before it.
    """
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", "")])
