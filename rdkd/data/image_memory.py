"""Which images could be decoded, kept in a file from run to run."""
import gzip
import json
import logging
import time
import zlib
from os import stat_result
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from rdkd.io.atomic import AtomicLocalBackend

#: In a run's work dir.
FILE = 'image_check.json.gz'
#: Seconds after which what is new is written, in case the check is killed.
_INTERVAL = 30.0
_FORMAT = 1


class ImageMemory:
    """Sizes of decoded images, as long as their files do not change.

    An image is known by its folder, its name, how it was decoded, and its
    file's length and time of modification.  Files that could not be decoded
    are not kept.  What cannot be read is looked at anew, and what cannot be
    written is not kept, both with a warning.

    Args:
        path (Path, optional): The file.  Defaults to none: nothing is kept.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        # By folder and decoder; by name [length, mtime, width, height].
        self._sections = self._read()
        self._new = False
        self._written = time.monotonic()

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            found = json.loads(gzip.decompress(self._path.read_bytes()))
            if found['format'] != _FORMAT:
                raise ValueError('it is of another version')
            return {str(key): dict(section)
                    for key, section in found['images'].items()}
        except (OSError, EOFError, zlib.error, ValueError, KeyError,
                TypeError, AttributeError, RecursionError) as error:
            print_log(f'{self._path} cannot be read and is not used: '
                      f'{error!r}.', 'current', logging.WARNING)
            return {}

    def section(self, folder: Path, decoder: str) -> dict[str, Any]:
        """What is known of a folder's images, to look up and to add to.

        Args:
            folder (Path): Of the images.
            decoder (str): How they are decoded.
        """
        return self._sections.setdefault(f'{folder.resolve()} by {decoder}',
                                         {})

    def keep(self, section: dict[str, Any], name: str, stat: stat_result,
             size: tuple[int, int]) -> None:
        """Keep that an image could be decoded.

        Args:
            section (dict): Of :meth:`section`.
            name (str): Of the image in its folder.
            stat (stat_result): Of its file, from before it was read.
            size (tuple[int, int]): Its width and height in pixels.
        """
        entry = [stat.st_size, stat.st_mtime_ns, *size]
        self._new |= section.get(name) != entry
        section[name] = entry
        if time.monotonic() - self._written > _INTERVAL:
            self.write()

    def write(self) -> None:
        """Write what is new, if anything is."""
        self._written = time.monotonic()
        if self._path is None or not self._new:
            return
        self._new = False
        content = json.dumps(dict(format=_FORMAT, images=self._sections),
                             separators=(',', ':'))
        try:
            AtomicLocalBackend().put(gzip.compress(content.encode(), 1),
                                     self._path)
        except OSError as error:
            print_log(f'{error}: that the images were checked is not kept.',
                      'current', logging.WARNING)
            self._path = None


def remembered(section: dict[str, Any], name: str, stat: stat_result
               ) -> tuple[int, int] | None:
    """The size of an image that was decoded and has not changed since.

    Args:
        section (dict): Of :meth:`ImageMemory.section`.
        name (str): Of the image in its folder.
        stat (stat_result): Of its file as it is now.

    Returns:
        tuple[int, int] | None: Width and height in pixels; None if the image
        has to be looked at.
    """
    match section.get(name):
        case [stat.st_size, stat.st_mtime_ns, int(width), int(height)]:
            return width, height
    return None
