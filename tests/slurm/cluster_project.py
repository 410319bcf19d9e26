"""A copy of the project on a private SLURM: its Snakemake, its runs, its jobs."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml
from private_slurm import PrivateSlurm, wait_until

ROOT = Path(__file__).parents[2]
SNAKEMAKE = Path(__file__).with_name("impatient.py")
PARTS = ("Snakefile", "workflow", "config", "profiles", "envs")
# Much smaller than the quick configuration: what is tested here is not the science.
WIDTH = 0.0625
NETWORK = f"vgg16-w{WIDTH}"
RECIPE = {
    "batch_size": 100,
    "learning_rate": 0.1,
    "precision": "float32",
    "augmentation": "none",
}
EXPERIMENT = {
    "dataset": "digits",
    "architecture": "vgg16",
    "width": WIDTH,
    "operations": ["spatial_shuffle"],
}
CONFIGURATION = {
    "recipes": {
        "tiny": {**RECIPE, "epochs": 1},
        # Some ten seconds: long enough for accidents.
        "long": {**RECIPE, "epochs": 6},
        "wide": {**RECIPE, "epochs": 1, "gpus": 2},
        # Its loss is not finite after a step or two.
        "diverging": {**RECIPE, "epochs": 1, "learning_rate": 1.0e30},
    },
    "experiments": {
        "tiny": {**EXPERIMENT, "recipe": "tiny", "last_k": [7], "seeds": [0]},
        "many": {**EXPERIMENT, "recipe": "tiny", "last_k": [0], "seeds": [0, 1, 2, 3, 4, 5]},
        "long": {**EXPERIMENT, "recipe": "long", "last_k": [0], "seeds": [0, 1, 2]},
        "wide": {**EXPERIMENT, "recipe": "wide", "last_k": [0], "seeds": [0]},
        "diverging": {**EXPERIMENT, "recipe": "diverging", "last_k": [0], "seeds": [0]},
    },
    "figures": {
        name: {"kind": "accuracy_over_last_k", "experiments": [name]}
        for name in ("tiny", "many", "long", "wide", "diverging")
    },
    "targets": ["tiny"],
    "passes": 2,
}
SITE = {
    "partitions": {"gpu": "gpu", "cpu": "cpu"},
    "gpu_model": "h200",
    "cpus_per_gpu": 2,
    "max_runtime": 60,
}
# The profile as it is, but for pauses that are made for jobs of hours.
IMPATIENT = (
    *("--latency-wait", "20", "--max-status-checks-per-second", "1"),
    *("--slurm-init-seconds-before-status-checks", "2"),
)
FIRST_EPOCH = re.compile(r"^epoch +1/", re.MULTILINE)
GOES_ON = re.compile(r"^goes on from", re.MULTILINE)
SUBMITTED = re.compile(r"Job \S+ has been submitted with SLURM jobid (\d+) \(log: (\S+)\)")


def run_id(recipe: str, seed: int, setting: str = "none/last0") -> str:
    """Return the path of one of the test's runs."""
    return f"digits/{recipe}/{NETWORK}/{setting}/seed{seed}"


@dataclass
class ClusterProject:
    """A copy of the project in a folder that the cluster's nodes share."""

    folder: Path
    slurm: PrivateSlurm | None = None
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @classmethod
    def create(
        cls, folder: Path, slurm: PrivateSlurm | None = None, **site: object
    ) -> "ClusterProject":
        """Copy the project and write its test configuration and its site's description."""
        (folder / "tmp").mkdir(parents=True)
        ignore = shutil.ignore_patterns("__pycache__", ".snakemake")
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part, **({"ignore": ignore} if copy != shutil.copy else {}))
        (folder / "config" / "test.yaml").write_text(yaml.safe_dump(CONFIGURATION))
        project = cls(folder, slurm)
        project.describe_site(**site)
        return project

    def describe_site(self, **site: object) -> None:
        """Write ``config/cluster.yaml``."""
        (self.folder / "config" / "cluster.yaml").write_text(yaml.safe_dump({**SITE, **site}))

    def take_data_from(self, other: "ClusterProject") -> None:
        """Take over another project's prepared datasets."""
        shutil.copytree(other.folder / "results" / "data", self.folder / "results" / "data")

    # -- Snakemake -----------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """The environment of everything that runs here."""
        environment = dict(os.environ if self.slurm is None else self.slurm.environment)
        environment.pop("PYTHONPATH", None)
        # What a killed Snakemake leaves in its temporary folder goes with the project.
        return {**environment, "OMP_NUM_THREADS": "1", "TMPDIR": str(self.folder / "tmp")}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake with the profile of this cluster; its output goes to ``main.log``."""
        program, profile = ("-m", "snakemake"), ("--cores", "2")
        if self.slurm is not None:
            program, profile = (SNAKEMAKE,), ("--profile", "profiles/slurm", *IMPATIENT)
        command = (*program, "--configfile", "config/test.yaml", *profile, *arguments)
        with (self.folder / "main.log").open("a", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def stop(self) -> None:
        """End every Snakemake of this project that a failed test has left running."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def finish(self, process: subprocess.Popen[str], seconds: float = 420) -> int:
        """Wait for Snakemake's end and return its status."""
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError(f"Snakemake did not end:\n{self.log[-6000:]}") from None

    def snakemake(self, *arguments: str) -> str:
        """Run Snakemake to its good end and return what it printed since."""
        before = len(self.log)
        status = self.finish(self.start(*arguments))
        assert status == 0, self.log[-8000:]
        return self.log[before:]

    def locally(self, *arguments: str) -> str:
        """Run Snakemake in this folder without SLURM."""
        return ClusterProject(self.folder).snakemake(*arguments)

    @property
    def log(self) -> str:
        """All that Snakemake printed."""
        path = self.folder / "main.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m spatialdep.commands.{name}`` in the project's folder."""
        path = str(self.folder / "workflow")
        return self._call(f"spatialdep.commands.{name}", *arguments, PYTHONPATH=path)

    def _call(
        self, module: str, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def status(self, *targets: str) -> str:
        """Return what ``snakemake status`` says of some targets."""
        chosen = self.folder / "config" / "targets.yaml"
        chosen.write_text(yaml.safe_dump({"targets": list(targets)}), encoding="utf-8")
        configuration = ("--configfile", "config/test.yaml", "config/targets.yaml")
        told = self._call("snakemake", "status", *configuration, "--cores", "1")
        assert told.returncode == 0, told.stderr
        return told.stdout

    # -- jobs and results ----------------------------------------------------------------------

    def submitted(self) -> dict[str, list[str]]:
        """Return the SLURM ids that each job was submitted under, by the folder of its log."""
        found: dict[str, list[str]] = {}
        for job, log in SUBMITTED.findall(self.log):
            found.setdefault(Path(log).parent.name, []).append(job)
        return found

    def jobs_of(self, run: str) -> list[str]:
        """Return the SLURM ids of a run's training, attempt by attempt."""
        return self.submitted().get(run.replace("/", "_"), [])

    def pause(self, *runs: str, seconds: float = 300) -> dict[str, psutil.Process]:
        """Suspend each run's training after its first epoch, so that accidents find it at work."""
        paused: dict[str, psutil.Process] = {}

        def all_paused() -> bool:
            for run in runs:
                if run not in paused and FIRST_EPOCH.search(self.training_log(run)):
                    paused[run] = self.training_process(run)
                    paused[run].suspend()
            return len(paused) == len(runs)

        wait_until(all_paused, f"epoch 1 of {', '.join(runs)}", seconds)
        return paused

    def wait_to_go_on(self, run: str) -> None:
        """Return when another attempt has taken a training up from its checkpoint."""
        wait_until(lambda: GOES_ON.search(self.training_log(run)), f"{run} to go on", 300)

    def training_process(self, run: str) -> psutil.Process:
        """Return the process that trains ``run``."""
        output = f"results/runs/{run}"
        # Not the shell around it, whose command is one word.
        [training] = (
            process
            for process in psutil.process_iter(["cmdline", "cwd"])
            if {"spatialdep.commands.train", output} <= set(process.info["cmdline"] or ())
            and process.info["cwd"] == str(self.folder)
        )
        return training

    def training_log(self, run: str) -> str:
        """Return what a run's training has said in its present attempt."""
        path = self.folder / "results" / "logs" / "train" / f"{run}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def result(self, run: str, name: str) -> Path:
        """Return the path of one of a run's files."""
        return self.folder / "results" / "runs" / run / name

    def weights(self, run: str) -> bytes:
        """Return a finished run's weights."""
        return self.result(run, "weights.safetensors").read_bytes()

    def stamp(self, run: str) -> dict:
        """Return a run's stamp."""
        return json.loads(self.result(run, "stamp.json").read_text(encoding="utf-8"))


def target(run: str) -> str:
    """Return what to ask Snakemake for to train ``run``."""
    return f"results/runs/{run}/stamp.json"
