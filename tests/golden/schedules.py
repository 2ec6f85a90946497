"""Writes schedules.json: the learning rates of PyTorch's schedulers over 20 turns. Needs torch.

    python3 schedules.py
"""

import json
import pathlib

import torch

TURNS, RATE = 20, 0.1
LOSSES = [3, 2, 1.9999, 1.5, 1.6, 1.5, 1.4, 1.45, 1.5, 1.5, 1.41, 1.4, 1.2, 1.3, 1.3, 1.3, 1.1, 1.0, 1.0, 1.0]


def rates(make, losses=None):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    scheduler = make(optimizer)
    result = []
    for turn in range(TURNS):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([LOSSES[turn]] if losses else []))
    return result


def main():
    of = torch.optim.lr_scheduler
    runs = {
        "step": rates(lambda o: of.StepLR(o, 3, 0.5)),
        "cosine": rates(lambda o: of.CosineAnnealingLR(o, TURNS, 0.01)),
        "warmup": rates(lambda o: of.LinearLR(o, 1 / 8, 1, 7)),
        "plateau": rates(lambda o: of.ReduceLROnPlateau(o, factor=0.5, patience=2), LOSSES),
        "warmup_and_step": rates(
            lambda o: of.ChainedScheduler([of.LinearLR(o, 1 / 8, 1, 7), of.StepLR(o, 3, 0.5)])
        ),
    }
    golden = {"made_by": "schedules.py", "torch": torch.__version__.split("+")[0]}
    golden |= {"rate": RATE, "losses": LOSSES, "runs": runs}
    path = pathlib.Path(__file__).with_name("schedules.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
