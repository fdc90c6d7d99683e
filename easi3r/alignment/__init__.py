"""Global alignment: pair predictions become cameras, intrinsics and depths in one world.

Start reading at `global_alignment.align`. The initial state is that of docs/method.md §6; its 300
Adam steps are replaced by a quasi-Newton descent with the depths eliminated: a lower objective,
sooner.
"""

from easi3r.alignment.flow_residual import FlowTerm
from easi3r.alignment.global_alignment import align
from easi3r.alignment.objective import objective
from easi3r.alignment.working_memory import alignment_working_bytes

__all__ = ["FlowTerm", "align", "alignment_working_bytes", "objective"]
