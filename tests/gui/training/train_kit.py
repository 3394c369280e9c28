"""A view that remembers, and runs that are made up."""

import numpy as np
from tuning_kit import comparison

from pathloop.core import Evaluated, JobFinished, Rect, StepDone, write_json
from pathloop.loop.tuning import write_comparison
from pathloop.networks import find_model, read_card

TRAIN = (Rect(0, 0, 150, 200), Rect(0, 210, 150, 190))
HELD = (Rect(220, 0, 150, 150),)


class View:
    """Remembers what it was shown last."""

    def __init__(self):
        self.last, self.notes, self.answers, self.questions = {}, [], [], []

    def __getattr__(self, name):
        if not name.startswith("show_"):
            raise AttributeError(name)
        return lambda *values, **_: self.last.__setitem__(name[5:], values)

    def show_note(self, text):
        self.notes.append(text)

    def ask_reason(self, problem):
        self.questions.append(problem)
        return self.answers.pop(0)

    def confirm(self, title, text):
        self.questions.append(text)
        return self.answers.pop(0)

    @property
    def buttons(self):
        """Names of the buttons that are on."""
        return {name for name, button in self.last["buttons"][0].items() if button.enabled}


def write_events(run, *events):
    with (run.folder / "events.jsonl").open("a") as stream:
        stream.writelines(event.to_json() + "\n" for event in events)


def step(number, n_steps=20, loss=0.5):
    return StepDone(number, n_steps, loss, {"gland": loss}, 1e-3, 3.0, 40.0)


def finish(run, gains, *, n_regions=4):
    """End a run with a candidate and a comparison."""
    import shutil

    shutil.copytree(find_model("fast"), run.candidate)
    weights = run.candidate / "weights.safetensors"
    from safetensors.numpy import load_file, save_file

    state = load_file(weights)
    state["neck.weight"] = state["neck.weight"] + np.float16(0.01)
    save_file(state, weights)
    from pathloop.core import file_sha256

    card = read_card(find_model("fast"))
    card = card.model_copy(update={"name": run.facts.name, "checksum": file_sha256(weights)})
    write_json(run.candidate / "model.json", card.model_dump(mode="json"))
    one = comparison(gains, n_regions=n_regions)
    fast = read_card(find_model("fast"))
    rows = [
        {"region": "drawn_region3", "slide_id": "drawn", "rect": [220, 0, 150, 150], "task": "gland",
         "parent": 0.5, "candidate": 0.4},
        {"region": "other_region9", "slide_id": "other", "rect": [0, 0, 10, 10], "task": "gland",
         "parent": 0.5, "candidate": 0.6},
    ]  # fmt: skip
    values = one.model_dump() | {
        "parent": {"name": "fast", "checksum": fast.checksum},
        "candidate": {"name": card.name, "checksum": card.checksum},
        "regions": rows,
    }
    run.comparison.parent.mkdir()
    labels = np.zeros((150, 150), np.int32)
    labels[20:60, 20:60] = 7
    np.savez(run.comparison.parent / "drawn_region3.npz", **{"parent/gland": labels, "candidate/gland": labels.T * 2})
    write_comparison(run.comparison, one.__class__.model_validate(values))
    write_events(run, Evaluated(20, {"pathloop_set/gland": {"pq": 0.6, "dice": 0.8}}), JobFinished(run.folder))
