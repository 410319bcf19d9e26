"""Every shuffle of the study as a module.

For use beyond this project's jobs, which import only the operations they need.
"""

from spatialdep.spatial_ops.operations.channel_permutation import ChannelPermutation
from spatialdep.spatial_ops.operations.channel_shuffle import ChannelShuffle
from spatialdep.spatial_ops.operations.column_shuffle import ColumnShuffle
from spatialdep.spatial_ops.operations.fixed_shuffle import FixedShuffle
from spatialdep.spatial_ops.operations.full_shuffle import FullShuffle
from spatialdep.spatial_ops.operations.joint_shuffle import JointShuffle
from spatialdep.spatial_ops.operations.patch_shuffle import PatchShuffle
from spatialdep.spatial_ops.operations.row_shuffle import RowShuffle
from spatialdep.spatial_ops.operations.spatial_shuffle import SpatialShuffle

__all__ = [
    "ChannelPermutation",
    "ChannelShuffle",
    "ColumnShuffle",
    "FixedShuffle",
    "FullShuffle",
    "JointShuffle",
    "PatchShuffle",
    "RowShuffle",
    "SpatialShuffle",
]
