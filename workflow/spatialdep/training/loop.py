"""Training from the first epoch, or from a checkpoint, to the last."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from spatialdep.errors import UserError
from spatialdep.specification.run import RunSpecification
from spatialdep.training.batches import Batches
from spatialdep.training.checkpoint import Checkpoint, CheckpointFolder
from spatialdep.training.device import describe
from spatialdep.training.distributed import Ranks
from spatialdep.training.history import EpochRecord, best_of
from spatialdep.training.learner import Learner
from spatialdep.training.report import bar, epoch_line, say
from spatialdep.training.schedule import learning_rate
from spatialdep.training.signals import Stopped, StopRequest
from spatialdep.training.tally import Summary, Tally

# How often a GPU is made to tell, within an epoch, whether the loss is still finite.
PULSE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What a training does beside training; none of it changes a result.

    Attributes
    ----------
    checkpoint_minutes, checkpoint_epochs
        How often to save; either may be None. 0 minutes: after every step.
    show_bar
        Show a live bar.
    on_epoch
        Called with each finished epoch.
    """

    checkpoint_minutes: float | None = 5.0
    checkpoint_epochs: int | None = None
    show_bar: bool = False
    on_epoch: Callable[[EpochRecord], None] = field(default=lambda record: None)


@dataclass(frozen=True)
class Trained:
    """A finished training: weights by name, on the device, and what each epoch came to."""

    weights: dict[str, Tensor]
    best: dict[str, Tensor]
    history: tuple[EpochRecord, ...]
    parameters: int


class Training:
    """One run on its way.

    Attributes
    ----------
    epoch, step
        The next step, counted from 0.
    """

    def __init__(
        self,
        run: RunSpecification,
        learner: Learner,
        batches: Batches,
        *,
        checkpoints: CheckpointFolder,
        habits: Habits,
        ranks: Ranks,
    ) -> None:
        self.epoch = self.step = 0
        self._run, self._recipe = run, run.recipe
        self._learner, self._batches, self._ranks = learner, batches, ranks
        self._checkpoints, self._habits = checkpoints, habits
        self._history: tuple[EpochRecord, ...] = ()
        self._best: dict[str, Tensor] = {}
        self._seconds = 0.0
        self._saved_at = self._pulse_at = time.monotonic()

    def finish(self) -> Trained:
        """Train to the last epoch.

        Raises
        ------
        Stopped
            If a signal asked for it; a checkpoint has been saved.
        UserError
            If the loss is not finite, or the disk is full.
        """
        with StopRequest() as stop:
            self._resume()
            if self._ranks.first:
                say(
                    f"trains {self._run.id} from epoch {self.epoch + 1} to {self._recipe.epochs}, "
                    f"{self._batches.steps} steps each, on {describe(self._learner.device)}"
                )
            while self.epoch < self._recipe.epochs:
                self._train(stop)
                trained = self._read(self._learner.trained, "training")
                self._test(stop)
                self._close_epoch(trained, self._read(self._learner.tested, "testing"))
                self._pause_between_epochs(stop)
        return Trained(self._learner.weights(), self._best, self._history, self._learner.parameters)

    def _train(self, stop: StopRequest) -> None:
        steps = self._batches.steps
        if self.step == 0:
            self._learner.begin_training(self.epoch)
        with bar(self._habits.show_bar, self.epoch, self._recipe.epochs, self.step, steps) as shown:
            began, before = time.perf_counter(), self._seconds
            for batch in self._batches.train(self.epoch, self.step):
                rate = learning_rate(self._recipe, self.epoch, self.step, steps)
                self._learner.train(batch, rate)
                self.step += 1
                shown.update()
                self._seconds = before + time.perf_counter() - began
                self._pause_within_epoch(stop)
            # A GPU is still at work when its last step has been asked for.
            self._learner.wait()
            self._seconds = before + time.perf_counter() - began

    def _test(self, stop: StopRequest) -> None:
        self._learner.begin_testing(self.epoch)
        for batch in self._batches.test():
            self._learner.test(batch)
            if self._ranks.agree(stop.received is not None)[0]:
                # The test is short: it starts anew after the checkpoint.
                self._save_and_stop(stop)

    def _close_epoch(self, trained: Summary, tested: Summary) -> None:
        record = EpochRecord(
            epoch=self.epoch + 1,
            lr=learning_rate(
                self._recipe, self.epoch, self._batches.steps - 1, self._batches.steps
            ),
            train_loss=trained.loss,
            train_top1=trained.top1,
            test_loss=tested.loss,
            test_top1=tested.top1,
            images_per_second=trained.images / self._seconds,
            seconds=self._seconds,
        )
        self._history += (record,)
        if best_of(self._history) is record:
            self._best = self._learner.weights()
        self.epoch, self.step, self._seconds = self.epoch + 1, 0, 0.0
        left = (self._recipe.epochs - self.epoch) * record.seconds
        if self._ranks.first:
            say(epoch_line(record, self._recipe.epochs, left))
            self._habits.on_epoch(record)

    def _pause_within_epoch(self, stop: StopRequest) -> None:
        """Look up from the work: stop, save, or see whether the loss is still finite."""
        now = time.monotonic()
        stopping, due, pulse = self._ranks.agree(
            stop.received is not None,
            self._is_due(now),
            self._learner.tells_at_once or now - self._pulse_at >= PULSE_SECONDS,
        )
        if pulse or due or stopping:
            self._pulse_at = now
            self._read(self._learner.trained, "training")
        if stopping:
            self._save_and_stop(stop)
        if due:
            self._save()

    def _pause_between_epochs(self, stop: StopRequest) -> None:
        if self.epoch == self._recipe.epochs:
            return
        every = self._habits.checkpoint_epochs
        stopping, due = self._ranks.agree(stop.received is not None, self._is_due(time.monotonic()))
        if stopping:
            self._save_and_stop(stop)
        if due or (every is not None and self.epoch % every == 0):
            self._save()

    def _is_due(self, now: float) -> bool:
        minutes = self._habits.checkpoint_minutes
        return minutes is not None and now - self._saved_at >= 60 * minutes

    def _read(self, tally: Tally, doing: str) -> Summary:
        """Return what ``tally`` has come to, or stop a run whose loss is not finite."""
        summary = tally.read(self._ranks)
        if summary.finite < summary.batches:
            raise UserError(
                f"{self._run.id} diverged: the loss of {doing} is not finite from step "
                f"{summary.finite + 1} of epoch {self.epoch + 1} on (learning rate "
                f"{self._recipe.learning_rate:g}); lower the learning rate or try another seed."
            )
        return summary

    def _save_and_stop(self, stop: StopRequest) -> None:
        self._save()
        where = f"epoch {self.epoch + 1}, step {self.step}"
        if self._ranks.first:
            signal = stop.received or "a signal to another rank"
            say(f"stopped by {signal} in {where}; the same command goes on from there")
        raise Stopped

    def _save(self) -> None:
        random_state = self._learner.random_state()
        live = self._learner.tensors()
        if not all(bool(tensor.isfinite().all()) for tensor in live.values()):
            raise UserError(
                f"{self._run.id} diverged: a weight is not finite after step {self.step} of epoch "
                f"{self.epoch + 1}; lower the learning rate or try another seed."
            )
        if self._ranks.first:
            best = {f"best/{name}": tensor for name, tensor in self._best.items()}
            state = {f"live/{name}": tensor for name, tensor in live.items()}
            self._checkpoints.save(
                Checkpoint(
                    epoch=self.epoch,
                    step=self.step,
                    seconds=self._seconds,
                    history=self._history,
                    tensors={**state, **best, "random": random_state},
                )
            )
        self._saved_at = time.monotonic()

    def _resume(self) -> None:
        """Go on from the newest usable checkpoint, if there is one."""
        if not self._ranks.first:
            # By then the first rank has set aside what cannot be used.
            self._ranks.wait()
        for path, checkpoint in self._checkpoints.load():
            try:
                self._restore(checkpoint)
            except (KeyError, ValueError, RuntimeError) as error:
                self._checkpoints.set_aside(path, str(error))
            else:
                say(f"goes on from {path.name}: epoch {self.epoch + 1}, step {self.step}")
                break
        if self._ranks.first:
            self._ranks.wait()

    def _restore(self, checkpoint: Checkpoint) -> None:
        parts: dict[str, dict[str, Tensor]] = {"live": {}, "best": {}}
        for name, tensor in checkpoint.tensors.items():
            part, _, rest = name.partition("/")
            if rest:
                parts[part][rest] = tensor
        # The streams start with the epoch; only the shuffles' has come further.
        self._learner.begin_training(checkpoint.epoch)
        self._learner.restore(parts["live"], checkpoint.tensors["random"])
        self._best = {
            name: tensor.to(self._learner.device) for name, tensor in parts["best"].items()
        }
        self.epoch, self.step = checkpoint.epoch, checkpoint.step
        self._seconds, self._history = checkpoint.seconds, checkpoint.history
