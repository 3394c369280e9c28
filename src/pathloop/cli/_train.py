"""``pathloop train``."""

import argparse
from pathlib import Path

from pathloop.cli._options import Subparsers
from pathloop.cli._progress import follow
from pathloop.core import UsageError
from pathloop.learn import RECIPES, TrainConfig, is_first_process

EPILOG = """\
example:
  pathloop train train.toml --data ~/datasets -o runs/first

a small configuration (all keys and defaults: docs/reference/training-config.md):
  name = "mine"
  architecture = "fast"
  n_folds = 5              # patients are dealt into folds; those named in neither list are left for testing
  train_folds = [0, 1, 2, 3]
  validation_folds = [4]
  [[data]]
  kind = "folder"          # images/*.png and labels/<task>/*.png; or ebhi_seg, cpm_sbu, dsb2018_color, glas
  path = "my_images"
  um_per_px = 0.5
  [fit]
  steps = 3000
  batch = 8
  patch_px = 256

On several GPUs, or several processes, torchrun starts it; fit.batch is that of each process:
  torchrun --nproc-per-node 4 -m pathloop train train.toml -o runs/first

Run the same command again to resume from the last checkpoint. The model folder in the output is what
'pathloop segment --model' takes.
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "train",
        help="train a model",
        description="Train a model from a TOML configuration.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the data paths (default: that of CONFIG)")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder of the run (default: as in CONFIG)")
    parser.add_argument("--recipe", default="train", choices=RECIPES.names(), help="default: %(default)s")
    parser.add_argument("--steps", type=int, metavar="N", help="overrule fit.steps")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), help="overrule device")
    parser.add_argument("--json", action="store_true", help="print events as JSON lines instead of a progress bar")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    config = TrainConfig.from_toml(options.config).relative_to(options.data or options.config.parent)
    changes: dict[str, object] = {}
    if options.output is not None:
        changes["output"] = options.output
    if options.device is not None:
        changes["device"] = options.device
    if options.steps is not None:
        if options.steps < 1:
            raise UsageError("--steps must be at least 1")
        changes["fit"] = config.fit.model_copy(update={"steps": options.steps})
    config = config.model_copy(update=changes)
    if not is_first_process():
        # torchrun started several: the first one speaks for all
        for _ in RECIPES.resolve(options.recipe)(config):
            pass
        return 0
    finished = follow(RECIPES.resolve(options.recipe)(config), as_json=options.json)
    if not options.json:
        print(f"model in {finished.path}; try: pathloop segment SLIDE --model {finished.path}")
    return 0
