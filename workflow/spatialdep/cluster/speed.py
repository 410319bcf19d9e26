"""How fast devices train, for estimates; a site adds its own in ``config/cluster.yaml``."""

from spatialdep.cluster.site import Site
from spatialdep.errors import UserError

# Share of the dense bf16 peak that training is expected to reach: the project's aim for VGG-16 on
# 32×32 images (benchmarks/README.md). Narrow networks reach less; finished runs correct it.
SHARE_OF_PEAK = 0.35

# Dense bf16 TFLOP/s (V100: fp16) from the makers' data sheets, by the names that clusters use.
PEAK = {
    "b200": 2250,
    "gh200": 989,
    "h200": 989,
    "h100": 989,
    "h100_pcie": 756,
    "a100": 312,
    "l40s": 362,
    "l40": 181,
    "l4": 121,
    "a40": 150,
    "a30": 165,
    "a10": 125,
    "rtx_4090": 165,
    "rtx_3090": 71,
    "v100": 125,
    "mi300x": 1307,
    "mi250x": 383,
}
# One core with AVX-512 or so, and a training has one thread; measured by nobody, an order of
# magnitude.
CPU_CORE = 0.02
# What is assumed where a site names no device: neither the newest nor the oldest.
ASSUMED = "a100"


def sustained_flops(site: Site) -> tuple[str, float]:
    """Return the device that estimates assume and its operations a second in training.

    Raises
    ------
    UserError
        If ``device`` names a row that is in no table.
    """
    if not site.gpus:
        return "cpu", site.speed.get("cpu", CPU_CORE) * 1e12
    name = device_name(site)
    if name in site.speed:
        return name, site.speed[name] * 1e12
    return name, SHARE_OF_PEAK * PEAK[name] * 1e12


def device_name(site: Site) -> str:
    """Return the row of the table: ``device``, else ``gpu_model`` if it is one, else a guess."""
    known = {**PEAK, **site.speed}
    if site.device is not None:
        if site.device.lower() not in known:
            raise UserError(
                f"config/cluster.yaml: there is no device {site.device!r} in the speed table: "
                f"choose one of {', '.join(sorted(known))}, or add it under speed."
            )
        return site.device.lower()
    model = (site.gpu_model or "").lower()
    return model if model in known else ASSUMED


def is_assumed(site: Site) -> bool:
    """Whether nothing in the site's description says which device it has."""
    return site.gpus and site.device is None and device_name(site) != (site.gpu_model or "").lower()
