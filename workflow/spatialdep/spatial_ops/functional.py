"""Every shuffle of the study as a function on ``(N, C, H, W)`` tensors.

For use beyond this project's jobs, which import only the operations they need.
"""

from spatialdep.spatial_ops.operations.channel_permutation import channel_permutation
from spatialdep.spatial_ops.operations.channel_shuffle import channel_shuffle
from spatialdep.spatial_ops.operations.column_shuffle import column_shuffle
from spatialdep.spatial_ops.operations.full_shuffle import full_shuffle
from spatialdep.spatial_ops.operations.joint_shuffle import joint_shuffle
from spatialdep.spatial_ops.operations.patch_shuffle import patch_shuffle
from spatialdep.spatial_ops.operations.row_shuffle import row_shuffle
from spatialdep.spatial_ops.operations.spatial_shuffle import spatial_shuffle

__all__ = [
    "channel_permutation",
    "channel_shuffle",
    "column_shuffle",
    "full_shuffle",
    "joint_shuffle",
    "patch_shuffle",
    "row_shuffle",
    "spatial_shuffle",
]
