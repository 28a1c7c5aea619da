"""Writing checkpoints whole or not at all."""
import os
from pathlib import Path

from mmengine.fileio import LocalBackend


class AtomicLocalBackend(LocalBackend):
    """Local files, written beside their place and then moved there.

    mmengine writes checkpoints in place: a run that is killed meanwhile
    leaves half a file under the final name.  Used by
    ``CheckpointHook(backend_args=dict(backend='atomic'))``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` to ``filepath``."""
        path = Path(filepath)
        partial = path.with_name(f'{path.name}.partial')
        super().put(obj, partial)
        os.replace(partial, path)
