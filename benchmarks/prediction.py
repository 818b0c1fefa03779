"""Measures how many texts a second are predicted offline: a transformers pipeline, and our two precisions.

    python -m benchmarks.prediction --texts posts.csv --model FOLDER --sizes 1000,10000 --json prediction.json

All peers run in one process on the same texts and the same model, in turns, so that other work on the machine slows all
of them. Each must give the exact prediction's label, because a fast wrong answer is worth nothing. ONNX Runtime with
int8 weights is a peer only where `onnxruntime` and `onnxscript` are installed: finloop needs neither.
"""

import argparse
import importlib.util
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from transformers import AutoConfig

from storage.scheme import Scheme, find_scheme
from storage.texts.csv import read_texts
from storage.texts.paging import batches
from training.data.merge import MergePolicy, merge
from training.data.sample.writer import sample_seed
from training.data.seed import read_seed
from training.model.base_model import find_base_model
from training.model.classifier import Classifier, Predicted, choose_device, label_columns, softmax
from training.model.finetune import finetune
from training.model.precision import Precision, agreement, bf16_pays
from training.model.reading import MAX_TOKENS, encode, prepared, reading_of, tokens_read
from training.model.recipe import Recipe

PIPELINE, EXACT, FAST, ONNX = "transformers pipeline", "finloop exact", "finloop fast", "ONNX Runtime int8"
PEERS = (PIPELINE, EXACT, FAST, ONNX)
Way = Callable[[Sequence[str]], Predicted]
PAGE = 1024
"""Texts that ours predicts at once, as a scoring run does."""


def quick_model(folder: Path, base: str, scheme: Scheme) -> Path:
    """A model that was trained for one epoch on 300 rows of the packaged sample."""
    rows = merge(read_seed(sample_seed(folder, scheme), 50, scheme), (), (), {}, MergePolicy()).rows
    found = find_base_model(base, folder / "downloads")
    return finetune(rows, found, Recipe(limit=300, epochs=1), folder / "model", scheme.names).folder


def grown(texts: Sequence[str], size: int) -> list[str]:
    """So many texts: those beyond the given ones are copies that end in a number, so that no two are equal."""
    rounds = (at // len(texts) for at in range(size))
    return [f"{text} {turn}" if turn else text for text, turn in zip(cycle(texts), rounds, strict=False)]


def by_pipeline(classify: Any, labels: Sequence[str], texts: Sequence[str]) -> Predicted:
    """The usual recipe: a pipeline in batches of 32, in the order of the texts, which reads the head of a long one."""
    answers = [{one["label"]: one["score"] for one in scores} for scores in classify(list(texts), batch_size=32)]
    scores = np.array([[answer[label] for label in labels] for answer in answers], dtype=np.float32)
    return Predicted(tuple(labels), np.log(scores), scores, np.zeros(len(texts), dtype=bool))


def by_finloop(model: Classifier, precision: Precision, texts: Sequence[str]) -> Predicted:
    """Ours, page by page as a scoring run does."""
    return Predicted.joined([model.predict(page, precision=precision) for page in batches(texts, PAGE)])


def by_onnx(session: Any, tokenizer: Any, columns: Sequence[int], labels: Sequence[str], texts: Sequence[str]) -> Any:
    """ONNX Runtime on pages sorted by length, in batches of 32."""
    names = {one.name for one in session.get_inputs()}
    logits = np.zeros((len(texts), len(labels)), dtype=np.float32)
    for start in range(0, len(texts), PAGE):
        rows = tokenizer(list(texts[start : start + PAGE]), truncation=True, max_length=MAX_TOKENS)
        order = sorted(range(len(rows["input_ids"])), key=lambda at: -len(rows["input_ids"][at]))
        for chosen in batches(order, 32):
            batch = tokenizer.pad({name: [column[at] for at in chosen] for name, column in rows.items()})
            given = {name: np.array(column, dtype=np.int64) for name, column in batch.items() if name in names}
            logits[[start + at for at in chosen]] = session.run(None, given)[0][:, columns]
    return Predicted(tuple(labels), logits, softmax(logits), np.zeros(len(texts), dtype=bool))


def onnx_session(folder: Path, place: Path) -> Any:
    """The model in ONNX with int8 weights, in as many threads as PyTorch has."""
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    inputs = dict(AutoTokenizer.from_pretrained(folder)(["profit rose", "sales fell"], return_tensors="pt"))
    shape = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens")}
    exported = torch.onnx.export(model, (), kwargs=inputs, dynamic_shapes=dict.fromkeys(inputs, shape), dynamo=True)
    assert exported is not None
    exported.save(place / "model.onnx")
    quantize_dynamic(place / "model.onnx", place / "int8.onnx", weight_type=QuantType.QInt8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(place / "int8.onnx", options, providers=["CPUExecutionProvider"])


def ways(folder: Path, place: Path, labels: Sequence[str], wanted: Sequence[str]) -> dict[str, Way | None]:
    """peer -> how it predicts; None where it is not installed."""
    from transformers import AutoTokenizer, pipeline

    model = Classifier.load(folder, labels)
    found: dict[str, Way | None] = {
        EXACT: partial(by_finloop, model, Precision.EXACT),
        FAST: partial(by_finloop, model, Precision.FAST),
    }
    if PIPELINE in wanted:
        options = {"top_k": None, "truncation": True, "max_length": MAX_TOKENS}
        classify: Any = pipeline("text-classification", model=str(folder), device=model.device, **options)
        found[PIPELINE] = partial(by_pipeline, classify, labels)
    if ONNX in wanted:
        found[ONNX] = None
        if all(importlib.util.find_spec(name) for name in ("onnxruntime", "onnxscript")):
            tokenizer = AutoTokenizer.from_pretrained(folder)
            session = onnx_session(folder, place)
            columns = label_columns(AutoConfig.from_pretrained(folder).id2label, labels)
            found[ONNX] = partial(by_onnx, session, tokenizer, columns, labels)
    return {name: found[name] for name in PEERS if name in found and name in {*wanted, EXACT}}


def measure(found: dict[str, Way | None], texts: Sequence[str], rounds: int) -> dict[str, dict[str, float] | None]:
    """peer -> texts a second (median over rounds), and how it agrees with the exact predictions.

    Texts a second of the processor's time say more on a machine that has other work; a GPU's time is not in them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in found}
    processor: dict[str, list[float]] = {name: [] for name in found}
    answers: dict[str, Predicted] = {}
    for way in found.values():
        if way is not None:
            way(texts[:64])
    for _ in range(rounds):
        for name, way in found.items():
            if way is not None:
                began, busy = time.perf_counter(), time.process_time()
                answers[name] = way(texts)
                seconds[name].append(time.perf_counter() - began)
                processor[name].append(time.process_time() - busy)
    report: dict[str, dict[str, float] | None] = {}
    for name in found:
        if name not in answers:
            report[name] = None
            continue
        close = agreement(answers[EXACT], answers[name])
        report[name] = {
            "texts_per_s": len(texts) / statistics.median(seconds[name]),
            "texts_per_cpu_s": len(texts) / statistics.median(processor[name]),
            "labels_equal": 1 - close.differing / len(texts),
            "tau": close.tau,
            "largest_difference": close.gap,
        }
    return report


def where_time_goes(folder: Path, labels: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """Seconds of our fast prediction: tokenising, and everything else, which is the model but for a few percent."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer, model = (kind.from_pretrained(folder) for kind in (AutoTokenizer, AutoModelForSequenceClassification))
    limit, reading = tokens_read(model), reading_of(model.config)
    began = time.perf_counter()
    for page in batches(texts, PAGE):
        encode(tokenizer, page, limit, reading)
    tokenising = time.perf_counter() - began
    loaded = Classifier.load(folder, labels)
    began = time.perf_counter()
    by_finloop(loaded, Precision.FAST, texts)
    return {"tokenising": tokenising, "model and rest": time.perf_counter() - began - tokenising}


def show(report: dict[str, Any], console: Console) -> None:
    """A table for each size with ratios to the pipeline, and where the time of the fast prediction goes.

    `CPU s`: texts for each second of the processor's time.
    """
    for size in report["sizes"]:
        title = f"{size['texts']:,} texts, medians of {report['rounds']} rounds"
        table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))  # fits in 80 columns
        for column in ("peer", "texts/s", "ratio", "CPU s", "ratio", "same %", "tau", "gap"):
            table.add_column(column, justify="left" if column == "peer" else "right", no_wrap=True)
        peer = size["peers"].get(PIPELINE)
        for name, row in size["peers"].items():
            if row is None:
                table.add_row(name, "not installed")
                continue
            cells = []
            for rate in ("texts_per_s", "texts_per_cpu_s"):
                cells += [f"{row[rate]:.0f}", f"{row[rate] / peer[rate]:.2f}" if peer else "-"]
            close = f"{100 * row['labels_equal']:.2f}", f"{row['tau']:.4f}", f"{row['largest_difference']:.4f}"
            table.add_row(name, *cells, *close)
        console.print(table)
        spent = size["seconds"]
        console.print(f"fast: {', '.join(f'{name} {spent[name] / sum(spent.values()):.0%}' for name in spent)}")
    if not report["bf16"]:
        console.print("this machine does not multiply bf16: fast is exact")


def main() -> None:
    """Measure each size in turn."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prediction", description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="a CSV with a column `text`")
    parser.add_argument("--model", type=Path, help="a trained model's folder (default: a quick one is trained)")
    parser.add_argument("--base", default="minilm", help="the base model of the quick one")
    parser.add_argument("--sizes", default="1000,10000", help="numbers of texts, such as 1000,10000,100000")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"some of: {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="threads of PyTorch (default: its own choice)")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    scheme = find_scheme("sentiment")
    texts = [row.text for row in read_texts(given.texts, None).rows]
    sizes = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folder = given.model or quick_model(place, given.base, scheme)
        found = ways(folder, place, scheme.names, given.peers.split(","))
        reading = reading_of(AutoConfig.from_pretrained(folder))  # links are a word to all peers, or to none
        for size in map(int, given.sizes.split(",")):
            some = prepared(grown(texts, size), reading)
            peers = measure(found, some, given.rounds)
            sizes.append({"texts": size, "peers": peers, "seconds": where_time_goes(folder, scheme.names, some)})
    report = {
        "rounds": given.rounds,
        "threads": torch.get_num_threads(),
        "bf16": bf16_pays(choose_device()),
        "sizes": sizes,
    }
    show(report, Console())
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
