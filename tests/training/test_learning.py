"""The quick network learns the digits."""

import pytest
from runs import make_training, specification

EPOCHS, TOP1 = 6, 95.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_quick_network_reads_digits(digits, tmp_path, seed):
    run = specification(
        {"dataset": "digits", "width": 0.125, "operation": "none", "last_k": 0, "seed": seed},
        epochs=EPOCHS,
        batch_size=64,
        learning_rate=0.05,
        schedule="one_cycle",
        precision="float32",
        augmentation="none",
        test_batch_size=100,
    )
    history = make_training(run, digits, tmp_path).finish().history
    assert history[-1].test_top1 >= TOP1
    assert history[-1].train_loss < history[0].train_loss / 3
