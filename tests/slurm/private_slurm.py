"""A private SLURM of two nodes with fake GPUs on one machine, for the tests of ``profiles/slurm``.

Everything lives in one folder: configuration, sockets, spools, logs and (with accounting) a
database. Daemons run in the foreground as children of the test process and die with it, so that
nothing of the machine's own SLURM, if there is one, is ever read, written or stopped. Each daemon
adopts what detaches below it, as job steps do, so that a node's processes are its descendants.
"""

import contextlib
import os
import re
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr")
DAEMONS = ("munged", "slurmctld", "slurmd")
ACCOUNTING_DAEMONS = ("slurmdbd", "mariadbd", "mariadb-install-db", "mariadb")
PACKAGES = "slurm-wlm munge slurmdbd mariadb-server"
NODES = ("gpu1", "gpu2")
GPUS_PER_NODE = 2
SHARDS_PER_GPU = 4
# Makes a process the parent of what detaches below it, and so it stays when it becomes a daemon.
# Not between fork and exec (preexec_fn): the test process may have threads.
BECOME_SUBREAPER = """\
import ctypes, os, sys
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
ADOPTING = (sys.executable, "-c", BECOME_SUBREAPER)
# MariaDB refuses to run as root; and if it changed its user itself, it would outlive the test.
AS_MYSQL = ("setpriv", "--reuid", "mysql", "--regid", "mysql", "--clear-groups")


def missing_requirement(accounting: bool) -> str | None:
    """Say why a private SLURM cannot be started here, or return None."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    programs = CLIENTS + DAEMONS + (ACCOUNTING_DAEMONS if accounting else ())
    absent = [name for name in programs if shutil.which(name, path=path) is None]
    if absent:
        return f"{', '.join(absent)} not found: apt-get install {PACKAGES}"
    if os.geteuid() != 0:
        return "slurmd and mknod need root"
    return None


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Poll ``condition`` until it is true; fail naming ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.1)


def is_alive(process: psutil.Process) -> bool:
    """Whether a process is there and is more than an entry that nobody has collected."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes, of which some may have ended, and wait until they are gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not any(map(is_alive, processes)), "the end of what was killed")


@dataclass
class PrivateSlurm:
    """Two nodes ``gpu1`` and ``gpu2`` with two typed fake GPUs each.

    Parameters
    ----------
    folder
        An empty folder of its own. Its path must be short: sockets live in it.
    accounting
        Start slurmdbd and MariaDB too, so that ``sacct`` answers.
    """

    folder: Path
    accounting: bool = False
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> None:
        """Start every daemon and return when both nodes are idle."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # MariaDB and munge run under other users and must be able to pass through.
        self.folder.chmod(0o755)
        try:
            self._start_munge()
            ports = _free_ports(4)
            self._write_configuration(*ports)
            self._write_clients()
            if self.accounting:
                self._start_accounting()
            self.start_controller()
            if self.accounting:
                self._create_account()
            for node in NODES:
                self.start_node(node)
            wait_until(lambda: self.node_states() == ["idle", "idle"], "two idle nodes", 120)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Cancel every job, stop every daemon that this object started, and what they left."""
        if "slurmctld" in self.daemons and self.daemons["slurmctld"].poll() is None:
            # Whatever does not end in time is killed below.
            with contextlib.suppress(AssertionError, TimeoutError, subprocess.SubprocessError):
                self.empty_queue(15)
        for name in reversed(list(self.daemons)):
            self._stop_daemon(name)

    # -- daemons, one by one, so that tests can break them ---------------------------------

    def start_controller(self) -> None:
        """Start slurmctld and wait until it answers."""
        self._daemon("slurmctld", "slurmctld", "-D", "-f", str(self.configuration))
        wait_until(lambda: "UP" in self.run("scontrol", "ping", check=False), "slurmctld")

    def stop_controller(self) -> None:
        """Stop slurmctld; running jobs go on."""
        self._stop_daemon("slurmctld")

    def start_node(self, node: str) -> None:
        """Start the slurmd of ``node``."""
        self._daemon(f"slurmd-{node}", "slurmd", "-D", "-N", node, "-f", str(self.configuration))

    def kill_node(self, node: str) -> None:
        """Take ``node`` away as a power cut does: its slurmd and all it runs die at once."""
        daemon = self.daemons.pop(f"slurmd-{node}")
        slurmd = psutil.Process(daemon.pid)
        # Stopped first, so that none sees another's end and reports it, or starts one more.
        node_processes: list[psutil.Process] = []
        while new := {slurmd, *slurmd.children(recursive=True)}.difference(node_processes):
            for process in new:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.suspend()
            node_processes += new
        kill(node_processes)
        daemon.wait()
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def return_node(self, node: str) -> None:
        """Bring ``node`` back and wait until it is idle."""
        self.start_node(node)
        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME", check=False)
        wait_until(lambda: "down" not in " ".join(self.node_states()), f"{node} back")

    def empty_queue(self, seconds: float = 90) -> None:
        """Cancel every job and wait until none is left."""
        self.run("scancel", "--user", "root")
        wait_until(lambda: not self.run("squeue", "-h"), "an empty queue", seconds)

    # -- questions and answers ---------------------------------------------------------------

    @property
    def configuration(self) -> Path:
        """The private slurm.conf."""
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """The caller's environment, with this SLURM's clients first on PATH."""
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("SLURM_")},
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }

    def run(self, client: str, *arguments: str, check: bool = True, **extra: str) -> str:
        """Call a client such as ``squeue`` and return what it prints."""
        finished = subprocess.run(
            [str(self.folder / "bin" / client), *arguments],
            check=False,
            env={**self.environment, **extra},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and finished.returncode != 0:
            raise AssertionError(f"{client} {' '.join(arguments)}: {finished.stderr.strip()}")
        return finished.stdout.strip()

    def node_states(self) -> list[str]:
        """Return the nodes' states in the order of :data:`NODES`."""
        return self.run("sinfo", "-h", "-N", "-p", "gpu", "-o", "%t", check=False).split()

    def jobs(self) -> list[dict[str, str]]:
        """Return every job the controller remembers, as ``scontrol show job`` tells it."""
        lines = self.run("scontrol", "-o", "show", "job").splitlines()
        return [
            dict(item.split("=", 1) for item in line.split() if "=" in item)
            for line in lines
            if line.startswith("JobId=")
        ]

    def job(self, number: str) -> dict[str, str]:
        """Return one job that the controller remembers."""
        [found] = [job for job in self.jobs() if job["JobId"] == number]
        return found

    def jobs_by_gpu(self) -> dict[str, set[str]]:
        """Return the running jobs on each GPU, such as ``gpu1:0``; from what SLURM has granted."""
        found: dict[str, set[str]] = {}
        for line in self.run("scontrol", "-o", "-d", "show", "job", check=False).splitlines():
            if "JobState=RUNNING" not in line:
                continue
            job = re.search(r"JobId=(\d+)", line)
            granted = re.search(r" Nodes=(\S+) .*?GRES=\S+\(IDX:([\d,-]+)\)", line)
            if job is None or granted is None:
                continue
            for index in granted[2].split(","):
                found.setdefault(f"{granted[1]}:{index}", set()).add(job[1])
        return found

    # -- the pieces --------------------------------------------------------------------------

    def _start_munge(self) -> None:
        munge = self.folder / "munge"
        munge.mkdir(mode=0o755)
        key = munge / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        self._daemon(
            "munged",
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={munge / 'socket'}",
            f"--pid-file={munge / 'pid'}",
            f"--log-file={munge / 'log'}",
            f"--seed-file={munge / 'seed'}",
        )
        wait_until((munge / "socket").exists, "munged")

    def _write_configuration(self, controller: int, node1: int, node2: int, database: int) -> None:
        for name in ("state", "spool-gpu1", "spool-gpu2"):
            (self.folder / name).mkdir()
        devices = [self.folder / f"nvidia{index}" for index in range(GPUS_PER_NODE)]
        for device in devices:
            os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        accounting = (
            f"AccountingStorageType=accounting_storage/slurmdbd\n"
            f"AccountingStorageHost=localhost\nAccountingStoragePort={database}\n"
            f"AccountingStoragePass={self.folder / 'munge' / 'socket'}\n"
            f"AccountingStorageTRES=gres/gpu,gres/shard\n"
            f"JobAcctGatherType=jobacct_gather/linux\nJobAcctGatherFrequency=2\n"
            if self.accounting
            else "AccountingStorageType=accounting_storage/none\n"
        )
        self.configuration.write_text(
            f"""ClusterName=private
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={self.folder / "munge" / "socket"},cred_expire=5
SlurmctldPort={controller}
StateSaveLocation={self.folder / "state"}
SlurmdSpoolDir={self.folder}/spool-%n
SlurmctldPidFile={self.folder / "slurmctld.pid"}
SlurmdPidFile={self.folder}/slurmd-%n.pid
SlurmctldLogFile={self.folder / "slurmctld.log"}
SlurmdLogFile={self.folder}/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
JobRequeue=1
MinJobAge=300
KillWait=15
MessageTimeout=10
SlurmdTimeout=60
OverTimeLimit=0
GresTypes=gpu,shard
{accounting}NodeName=gpu1 NodeHostname=localhost Port={node1} CPUs=8 RealMemory=64000 \
Gres=gpu:h200:{GPUS_PER_NODE},shard:{GPUS_PER_NODE * SHARDS_PER_GPU} Feature=h200
NodeName=gpu2 NodeHostname=localhost Port={node2} CPUs=8 RealMemory=64000 \
Gres=gpu:h200:{GPUS_PER_NODE},shard:{GPUS_PER_NODE * SHARDS_PER_GPU} Feature=h200
PartitionName=gpu Nodes=gpu[1-2] Default=YES MaxTime=7-0 State=UP
PartitionName=cpu Nodes=gpu[1-2] MaxTime=1-0 State=UP
""",
            encoding="utf-8",
        )
        (self.folder / "gres.conf").write_text(
            f"NodeName=gpu[1-2] Name=gpu Type=h200 File={self.folder}/nvidia[0-1]\n"
            f"NodeName=gpu[1-2] Name=shard Count={GPUS_PER_NODE * SHARDS_PER_GPU}\n",
            encoding="utf-8",
        )
        if self.accounting:
            text = (
                f"AuthType=auth/munge\nAuthInfo=socket={self.folder / 'munge' / 'socket'}\n"
                f"DbdHost=localhost\nDbdPort={database}\nSlurmUser=root\n"
                f"LogFile={self.folder / 'slurmdbd.log'}\nPidFile={self.folder / 'slurmdbd.pid'}\n"
                "StorageType=accounting_storage/mysql\nStorageHost=localhost\n"
                "StorageUser=root\nStorageLoc=slurm_acct\n"
            )
            path = self.folder / "slurmdbd.conf"
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600)

    def _write_clients(self) -> None:
        """Wrap the clients: a job step loses SLURM_CONF, but keeps PATH."""
        programs = self.folder / "bin"
        programs.mkdir()
        for name in CLIENTS:
            wrapper = programs / name
            wrapper.write_text(
                f'#!/bin/sh\nSLURM_CONF={self.configuration} exec {shutil.which(name)} "$@"\n',
                encoding="utf-8",
            )
            wrapper.chmod(0o755)

    def _start_accounting(self) -> None:
        database = self.folder / "mariadb"
        database.mkdir()
        shutil.chown(database, "mysql", "mysql")
        common = ["--no-defaults", f"--datadir={database}"]
        install = ["mariadb-install-db", *common, "--auth-root-authentication-method=socket"]
        subprocess.run(
            [*AS_MYSQL, *install], check=True, capture_output=True, timeout=300, cwd=database
        )
        unix_socket = database / "socket"
        self._daemon(
            "mariadbd",
            "mariadbd",
            *common,
            f"--socket={unix_socket}",
            f"--pid-file={database / 'pid'}",
            "--skip-networking",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-lock-wait-timeout=900",
            user=AS_MYSQL,
        )
        wait_until(unix_socket.exists, "mariadbd", 120)
        # libmariadb finds a socket elsewhere than in /run by this variable.
        self._daemon("slurmdbd", "slurmdbd", "-D", extra={"MYSQL_UNIX_PORT": str(unix_socket)})
        log = self.folder / "slurmdbd.log"
        wait_until(
            lambda: log.exists() and "slurmdbd version" in log.read_text(encoding="utf-8"),
            "slurmdbd",
            120,
        )

    def _create_account(self) -> None:
        """Give root an account: the plug-in checks that the one it is given exists."""
        known = self.run("sacctmgr", "-n", "-P", "show", "cluster", "format=cluster")
        if "private" not in known.split():
            self.run("sacctmgr", "-i", "add", "cluster", "private", check=False)
        self.run("sacctmgr", "-i", "add", "account", "lab", check=False)
        self.run("sacctmgr", "-i", "add", "user", "root", "account=lab", check=False)

    def _daemon(
        self,
        name: str,
        *command: str,
        user: tuple[str, ...] = ("setpriv",),
        extra: Mapping[str, str] | None = None,
    ) -> None:
        program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        environment = {
            **os.environ,
            **(extra or {}),
            "SLURM_CONF": str(self.configuration),
        }
        with (self.folder / f"{name}.out").open("ab") as output:
            self.daemons[name] = subprocess.Popen(
                # A test process that is killed takes its daemons with it.
                [*ADOPTING, *user, "--pdeathsig", "TERM", str(program), *command[1:]],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _stop_daemon(self, name: str) -> None:
        """End a daemon, and then what is left below it."""
        daemon = self.daemons.pop(name)
        below = []
        if daemon.poll() is None:
            below = psutil.Process(daemon.pid).children(recursive=True)
        daemon.terminate()
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        kill(below)


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago, all different."""
    listeners = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
