"""Senseless settings are refused with a sentence, before anything is built."""

import os
import subprocess
import sys

import pytest

from spatialdep.architectures import build_network, unit_names
from spatialdep.errors import UserError
from spatialdep.specification import settings
from spatialdep.specification.settings import check_setting

VGG = {"architecture": "vgg16", "operation": "spatial_shuffle", "image_size": 32}

REFUSED = [
    ({"architecture": "vgg17"}, "no architecture 'vgg17': choose .*vgg16"),
    ({"architecture": "torchvision/"}, "no architecture"),
    ({"operation": "shuffle", "last_k": 1}, "no operation 'shuffle': choose .*spatial_shuffle"),
    ({"last_k": 14}, "last_k=14 is beyond the 13 units of vgg16: choose 0 to 13"),
    ({"last_k": -1}, "last_k is -1"),
    ({"last_k": True}, "last_k is True"),
    ({"last_k": 1.5}, "last_k is 1.5"),
    ({"units": ["conv44"]}, "vgg16 has no unit conv44: its units are conv11, .* and conv53"),
    ({"units": "conv41"}, "must be a list of unit names"),
    ({"units": ["conv41", "conv41"]}, "names a unit twice"),
    ({"units": ["conv41"], "last_k": 2}, "both given"),
    ({"image_size": 30, "last_k": 1}, "image size of 30 does not suit vgg16.*multiple of 32"),
    ({"image_size": 0, "last_k": 1}, "image size of 0"),
    ({"image_size": "32", "last_k": 1}, "image size of '32'"),
    ({"width": 0, "last_k": 1}, "width 0 must be"),
    ({"width": True, "last_k": 1}, "width True must be"),
    ({"last_k": 1, "options": {"patch": 2}}, "takes no option 'patch': choose downsampling or per"),
    (
        {"last_k": 1, "options": {"per_image": 1}},
        "must be true or false",
    ),
    ({"last_k": 1, "options": {"downsampling": "max"}}, "must be strided or pooled"),
    ({"last_k": 1, "options": {"shuffle_shortcut": True}}, "takes no option 'shuffle_shortcut'"),
    ({"operation": "none", "last_k": 2}, "the operation none modifies nothing"),
    ({"operation": "patch_shuffle", "last_k": 1}, "patch_shuffle needs the option patch"),
    (
        {"operation": "patch_shuffle", "last_k": 3, "options": {"patch": 4}},
        "patch=4 does not fit the 2×2 input of conv51 in vgg16 at 32 pixels",
    ),
    ({"operation": "patch_shuffle", "last_k": 1, "options": {"patch": 0}}, "must be at least 1"),
    (
        {"operation": "patch_shuffle", "last_k": 1, "options": {"patch": "2"}},
        "must be a whole number",
    ),
    ({"operation": "gap_fc", "units": ["conv41"]}, "gap_fc .* conv41 is not its last 1"),
    ({"operation": "truncated", "units": ["conv41", "conv53"]}, "not its last 2"),
    (
        {"operation": "gap_fc", "last_k": 1, "options": {"downsampling": "pooled"}},
        "takes no option",
    ),
    ({"architecture": "torchvision/vit_b_16", "operation": "gap_fc", "last_k": 1}, "gap_fc needs"),
    ({"architecture": "torchvision/resnet18", "last_k": 1, "width": 0.5}, "no variable width"),
]


@pytest.mark.parametrize(("change", "sentence"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused(change, sentence):
    setting = {**VGG, **change}
    with pytest.raises(UserError, match=sentence) as planned:
        check_setting(**setting)
    options = setting.pop("options", {})
    with pytest.raises(UserError) as built:
        build_network(**setting, classes=10, **options)
    assert str(built.value) == str(planned.value)
    assert "\n" not in str(planned.value)


@pytest.mark.parametrize("classes", [0, 1.5, True])
def test_classes_are_counted(classes):
    with pytest.raises(UserError, match="whole number from 1 on"):
        build_network("vgg16", classes=classes, image_size=32)


def test_defaults_are_filled_in():
    small = check_setting("vgg16", "spatial_shuffle", image_size=64, last_k=4)
    assert small.units == ("conv43", "conv51", "conv52", "conv53")
    assert small.options == {"per_image": False, "downsampling": "strided"}
    large = check_setting("vgg16", "spatial_shuffle", image_size=224, last_k=4)
    assert large.options == {"per_image": False, "downsampling": "pooled"}
    assert check_setting("vgg16", "conv1x1", image_size=224, last_k=4).options == {
        "downsampling": "strided"
    }
    assert check_setting("resnet50", "conv1x1", image_size=32, last_k=4).options == {}
    residual = check_setting("resnet50", "joint_shuffle", image_size=224, last_k=1)
    assert residual.architecture_options == {"downsampling": "pooled", "shuffle_shortcut": True}


def test_no_modified_unit_is_the_baseline():
    baseline = check_setting("vgg16", "none", image_size=32)
    assert check_setting("vgg16", "spatial_shuffle", image_size=32) == baseline
    assert check_setting("vgg16", "gap_fc", image_size=32, units=[]) == baseline
    given = check_setting("vgg16", "spatial_shuffle", image_size=32, options={"per_image": True})
    assert given == baseline


def test_units_in_any_order_and_as_a_suffix():
    setting = check_setting("vgg16", "gap_fc", image_size=32, units=["conv53", "conv52"])
    assert setting == check_setting("vgg16", "gap_fc", image_size=32, last_k=2)
    assert setting.units == ("conv52", "conv53")
    assert setting.last_k == 2
    picked = check_setting("vgg16", "spatial_shuffle", image_size=32, units=["conv43", "conv12"])
    assert picked.units == ("conv12", "conv43")
    assert picked.last_k == 0


@pytest.mark.parametrize(
    ("architecture", "units"), [("vgg16", 13), ("resnet50", 17), ("resnet152", 51)]
)
def test_unit_names_need_no_network(architecture, units):
    assert len(settings.unit_names(architecture)) == units
    assert unit_names(architecture) == settings.unit_names(architecture)


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout


def test_planning_needs_no_torch():
    assert (
        run(
            "import sys; from spatialdep.specification.settings import check_setting;"
            "check_setting('resnet152', 'gap_fc', image_size=224, last_k=9);"
            "check_setting('torchvision/resnet18', 'spatial_shuffle', image_size=224, last_k=9);"
            "print(sorted({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
        )
        == "[]\n"
    )


def test_a_network_imports_only_what_it_is_made_of():
    loaded = run(
        "import sys; from spatialdep.architectures import build_network;"
        "build_network('vgg16', classes=10, image_size=32, operation='gap_fc', last_k=2, width=.1);"
        "print(*(name for name in sys.modules if name.startswith('spatialdep.')))"
    ).split()
    plugins = {
        name for name in loaded if ".operations." in name or name.endswith(("vgg", "resnet"))
    }
    assert plugins == {"spatialdep.spatial_ops.operations.gap_fc", "spatialdep.architectures.vgg"}
    unused = ("functional", "modules", "rearrangement", "random_stream")
    assert not {f"spatialdep.spatial_ops.{module}" for module in unused} & set(loaded)
