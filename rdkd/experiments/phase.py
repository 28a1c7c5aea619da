"""One model that is trained: where it is kept."""
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from rdkd.errors import InputError
from rdkd.io.atomic import AtomicLocalBackend


@dataclass(frozen=True)
class Phase:
    """One model that is trained.

    Attributes:
        name: Of its folder and files.
        title: For people.
        run: The folder of the whole run.
    """
    name: str
    title: str
    run: Path

    @property
    def config(self) -> Path:
        """The complete config."""
        return self.run / f'{self.name}.py'

    @property
    def folder(self) -> Path:
        """The work dir of the training."""
        return self.run / self.name

    @property
    def status(self) -> Path:
        """Where the training keeps how far it is."""
        return self.run / f'{self.name}_status.json'

    @property
    def log(self) -> Path:
        """What training and evaluation wrote."""
        return self.run / f'{self.name}.log'

    @property
    def deployed(self) -> Path:
        """The exported model."""
        return self.run / f'{self.name}_deploy.pth'

    @property
    def results(self) -> Path:
        """The folder of the exported model's evaluation."""
        return self.run / f'{self.name}_results'

    def read(self) -> Config:
        """The config, read from its file."""
        return Config.fromfile(self.config)

    def last_checkpoint(self) -> Path:
        """The checkpoint of the last epoch."""
        epochs = self.read().train_cfg.max_epochs
        return self.folder / f'epoch_{epochs}.pth'

    def write(self, cfg: Config) -> None:
        """Keep the config, which must not change while its run is kept.

        Args:
            cfg (Config): Its ``work_dir`` is set.

        Raises:
            InputError: If another config is there.
        """
        cfg.work_dir = str(self.folder)
        text = cfg.pretty_text
        if not self.config.is_file():
            AtomicLocalBackend().put(text.encode(), self.config)
        elif self.config.read_text() != text:
            raise InputError(
                f'{self.config} is of another version of this program or of '
                f'its data. Move {self.run} away to start anew.')
