"""Snakemake as it is, but that it looks at SLURM's queue every second.

The plug-in's pause grows by ten seconds a look, up to three minutes: right for jobs of hours, and
most of the time of a test.
"""

import asyncio
import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


async def pause(executor: RemoteExecutor) -> None:
    await asyncio.sleep(1)


RemoteExecutor.sleep = pause
sys.exit(main())
