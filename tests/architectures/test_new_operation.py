"""An operation is one file: nothing else changes to add it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import spatialdep

OPERATION = '''"""Flip: maps are mirrored left to right."""

from torch import Tensor, nn

from spatialdep.spatial_ops.operation import Operation, Rearrangement

DECLARATION = {
    "summary": "Maps are mirrored.",
    "options": {"twice": {"type": "boolean", "default": False, "description": "Mirror again."}},
    "architecture_options": ["downsampling"],
    "suffix_only": False,
    "random": False,
    "keeps_parameters": True,
}


class Mirror(nn.Module):
    def __init__(self, twice: bool) -> None:
        super().__init__()
        self.twice = twice

    def forward(self, x: Tensor) -> Tensor:
        return x if self.twice else x.flip(3)


def operation(*, twice: bool) -> Operation:
    return Rearrangement(lambda channels, height, width: Mirror(twice))
'''

PROGRAM = """
import torch
from spatialdep.architectures import build_network

def trained(**options):
    torch.manual_seed(0)
    network = build_network("vgg16", classes=5, image_size=32, width=1 / 16, **options)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    images, labels = torch.randn(8, 3, 32, 32), torch.randint(5, (8,))
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network.eval()(images)

setting = {"operation": "mirror", "last_k": 8, "downsampling": "pooled"}
plain, mirrored, twice = trained(), trained(**setting), trained(**setting, twice=True)
assert mirrored.isfinite().all()
assert not torch.allclose(mirrored, plain)
assert torch.equal(twice, plain)
"""


def test_a_file_is_all_it_takes(tmp_path):
    package = Path(spatialdep.__file__).parent
    copy = shutil.copytree(package, tmp_path / "spatialdep")
    (copy / "spatial_ops/operations/mirror.py").write_text(OPERATION)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
