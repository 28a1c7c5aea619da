"""Writing checkpoints whole or not at all, and never leaving none."""
import os
from pathlib import Path
from typing import ClassVar

from mmengine.fileio import LocalBackend


class AtomicLocalBackend(LocalBackend):
    """Local files, written beside their place and then moved there.

    mmengine writes checkpoints in place: a run that is killed meanwhile
    leaves half a file under the final name.  And it removes the oldest one
    before it writes the next: with ``max_keep_ckpts=1`` nothing would be left
    to continue from.  Here what is removed stays until the next file is
    there.  Used by ``CheckpointHook(backend_args=dict(backend='atomic'))``.
    """

    #: mmengine makes one object to remove files and another to write them.
    _outdated: ClassVar[list[Path]] = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` to ``filepath``.

        Raises:
            OSError: If it cannot be written; what was there stays.
        """
        path = Path(filepath)
        partial = path.with_name(f'{path.name}.partial')
        try:
            super().put(obj, partial)
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)  # a full disk needs the room
            raise
        while self._outdated:
            outdated = self._outdated.pop()
            if outdated != path:
                outdated.unlink(missing_ok=True)

    def remove(self, filepath: str | Path) -> None:
        """Remove a file as soon as the next one is written."""
        self._outdated.append(Path(filepath))
