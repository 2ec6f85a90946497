"""Runs picomlp and its peers side by side and prints a table with ratios. Python 3.11 or later, standard library alone.

    python3 benches/peers/run.py --data DIR            everything, some 10 minutes once all is installed and built
    python3 benches/peers/run.py --data DIR --quick    one width, two peers, one epoch: does it run here?

DIR holds MNIST's four IDX files, plain or gzipped. The peers are installed from requirements.txt into a virtual environment
(2 to 3 GB, once) unless --venv names one that has them. picomlp is built twice: for this machine (-C target-cpu=native) and
without any flag ("portable"). Then all of them run in turn, one at a time and on one core, --repeat times over; the best of
all epochs counts, since other programs can only make one longer. The table goes to stdout, progress to stderr, and every
single measurement to --output as JSON.
"""

import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NATIVE, PORTABLE = "picomlp", "picomlp, portable"
BUILDS = {NATIVE: ("native", "-C target-cpu=native"), PORTABLE: ("portable", "")}
TRAINED = ["jax", "torch", "torch-compile", "numpy"]
INFERRED = ["onnxruntime", "torch", "torch-compile", "torchscript", "jax", "numpy"]
QUICK = ["jax", "torch", "onnxruntime"]
WIDTHS = [32, 128, 512]
OPTIMIZERS = ["sgd", "adam"]
TRAIN_SAMPLES, TEST_SAMPLES = 60_000, 10_000
SHOWN = {
    "jax": "JAX",
    "torch": "PyTorch",
    "torch-compile": "torch.compile",
    "torchscript": "TorchScript",
    "numpy": "NumPy",
    "onnxruntime": "ONNX Runtime",
    "sgd": "SGD",
    "adam": "Adam",
}


def main():
    args = arguments()
    python = environment(args.venv or args.target / "peers-venv")
    programs = {who: build(args.target, *how) for who, how in BUILDS.items()}
    load_before = os.getloadavg()
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(args, python, programs, pathlib.Path(scratch))
        try:
            bench.run()
        finally:
            bench.stop()
    bench.about["load_average"] = {"before": load_before[0], "after": os.getloadavg()[0]}
    args.output.parent.mkdir(parents=True, exist_ok=True)
    written = {"about": bench.about, "results": bench.results}
    args.output.write_text(json.dumps(written, indent=1) + "\n")
    print(Table(bench).text())
    note(f"every measurement: {args.output}")


def arguments():
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=pathlib.Path, required=True, help="folder with MNIST's four IDX files")
    add("--venv", type=pathlib.Path, help="virtual environment [default: TARGET/peers-venv]")
    add("--target", type=pathlib.Path, default=target, help="folder for builds [default: target]")
    add("--output", type=pathlib.Path, help="JSON file [default: TARGET/peers.json]")
    add("--repeat", type=int, default=3, help="turns of all of them [default: 3]")
    add("--epochs", type=int, default=3, help="epochs in a turn [default: 3]")
    add("--cpu", type=int, default=cores[-1], help="the core to run on [default: the last]")
    add("--quick", action="store_true", help="one width, two peers, one epoch, once")
    args = parser.parse_args()
    args.data, args.target = args.data.resolve(), args.target.resolve()
    args.output = (args.output or args.target / "peers.json").resolve()
    if args.quick:
        args.repeat, args.epochs = 1, 1
    return args


def note(text):
    print(text, file=sys.stderr, flush=True)


def environment(venv):
    """The interpreter of a virtual environment in which the requirements are installed."""
    requirements = HERE / "requirements.txt"
    python = venv / "bin" / "python"
    if not python.exists():
        note(f"making a virtual environment in {venv}")
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    lines = requirements.read_text().splitlines()
    wanted = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        check=True, stdout=subprocess.PIPE, text=True,
    )
    # A local part, as in 2.15.0+cpu, says how it was built, not what.
    found = {p["name"].lower(): p["version"].split("+")[0] for p in json.loads(listed.stdout)}
    if any(found.get(name) != version for name, version in wanted.items()):
        note("installing the peers (2 to 3 GB the first time)")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
    return python


def build(target, name, flags):
    """Builds the programs with these RUSTFLAGS; returns the folder they lie in."""
    folder = target / f"peers-{name}"
    note(f"building picomlp, {name}")
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "-p", "picomlp-benches", "-p", "picomlp-cli"],
        check=True, cwd=ROOT, env={**os.environ, "CARGO_TARGET_DIR": folder, "RUSTFLAGS": flags},
    )
    return folder / "release"


class Bench:
    """Runs everything in turn and keeps every answer."""

    def __init__(self, args, python, programs, scratch):
        self.args, self.python, self.programs, self.scratch = args, python, programs, scratch
        self.weights = scratch / "weights.bin"
        self.widths = [128] if args.quick else WIDTHS
        self.trained = [p for p in TRAINED if p in QUICK or not args.quick]
        self.inferred = [p for p in INFERRED if p in QUICK or not args.quick]
        self.calls = 4_000 if args.quick else 20_000
        self.workers, self.results, self.about = {}, [], {}

    def run(self):
        self.about = {
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes"),
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "pinned_to": self.args.cpu,
            "repeat": self.args.repeat,
            "epochs": self.args.epochs,
            "rustc": output(["rustc", "--version"]),
            "commit": output(["git", "describe", "--always", "--dirty"]),
            "flags": {who: flags for who, (_, flags) in BUILDS.items()},
            "python": platform.python_version(),
            "packages": {},
        }
        for who in dict.fromkeys(self.trained + self.inferred):
            answer = self.peer(who, {"job": "versions"})
            self.about["packages"].update(answer.get("packages", {}))
        for turn in range(1, self.args.repeat + 1):
            note(f"turn {turn} of {self.args.repeat}")
            self.keep("machine", NATIVE, self.program(NATIVE, "machine"))
            for hidden in self.widths:
                for optimizer in OPTIMIZERS:
                    self.train([NATIVE, PORTABLE] + self.trained, hidden, optimizer, False)
            self.train([NATIVE, "jax"], 128, "sgd", True)
            self.infer()
            self.threads()
            self.standardised()
        self.memory()

    def train(self, everyone, hidden, optimizer, no_zeros):
        epochs = self.args.epochs
        for who in everyone:
            if who in self.programs:
                words = ["train", "--hidden", hidden, "--optimizer", optimizer, "--epochs", epochs]
                # What all run afterwards.
                if who == NATIVE and (hidden, optimizer, no_zeros) == (128, "adam", False):
                    words += ["--save", self.weights]
                answer = self.peer_row(who, words + ["--no-zeros"] * no_zeros)
            else:
                job = {"job": "train", "hidden": hidden, "optimizer": optimizer}
                answer = self.peer(who, {**job, "epochs": epochs, "no_zeros": no_zeros})
            what = f"784-{hidden}-10 {optimizer}" + " no zeros" * no_zeros
            self.keep(what, who, answer)

    def infer(self):
        rounds = 3 if self.args.quick else 10
        for who in [NATIVE, PORTABLE] + self.inferred:
            if who in self.programs:
                words = ["infer", "--weights", self.weights, "--calls", self.calls]
                answer = self.peer_row(who, words + ["--rounds", rounds])
            else:
                job = {"job": "infer", "weights": str(self.weights), "calls": self.calls}
                answer = self.peer(who, {**job, "rounds": rounds})
            self.keep("infer", who, answer)

    def threads(self):
        """In turns, for what a shared machine gives to two cores differs from minute to minute."""
        for hidden in (128, 512):
            for _ in range(1 if self.args.quick else 4):
                for threads in (1, 2):
                    words = ["--hidden", hidden, "--optimizer", "sgd", "--threads", threads]
                    answer = self.cli_train(words, pinned=False)
                    self.keep(f"cli 784-{hidden}-10, {threads} threads", NATIVE, answer)
                self.keep(f"cli 784-{hidden}-10, two at once", NATIVE, self.two_at_once(hidden))

    def two_at_once(self, hidden):
        """Two programs that know nothing of each other: what two threads could reach at most."""
        words = ["--hidden", hidden, "--optimizer", "sgd", "--threads", 1]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(self.cli_train, words, False, f"cli{i}.pmlp") for i in range(2)]
            answers = [run.result() for run in runs]
        failed = [answer for answer in answers if "error" in answer]
        return failed[0] if failed else {"seconds": max(answer["seconds"] for answer in answers)}

    def standardised(self):
        for what, words in (("plain", []), ("standardised", ["--inputs", "standardised"])):
            words = ["--hidden", 128, "--optimizer", "sgd", "--threads", 1, *words]
            self.keep(f"cli {what}", NATIVE, self.cli_train(words, pinned=True))

    def memory(self):
        """Ten epochs of the command line, as a user runs it."""
        out = self.scratch / "memory.pmlp"
        words = ["train", "--data", self.args.data, "--epochs", 10, "--quiet", "--out", out]
        # The peak of a child that was forked begins with its parent's, which is far below what is looked for here.
        pid = os.posix_spawn(
            self.programs[NATIVE] / "picomlp", ["picomlp", *map(str, words)], os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
        )
        _, status, usage = os.wait4(pid, 0)
        unit = 1 if sys.platform == "darwin" else 1024
        answer = {"megabytes": usage.ru_maxrss * unit / 1e6}
        self.keep("memory", NATIVE, answer if status == 0 else {"error": f"status {status}"})

    def keep(self, what, who, answer):
        self.results.append({**answer, "what": what, "who": who})
        shown = answer.get("error") or " ".join(
            f"{key} {answer[key]:.4g}"
            for key in ("seconds", "p50_us", "p99_us", "test_accuracy", "fma_gflops", "megabytes")
            if answer.get(key) is not None
        )
        note(f"  {what:<28} {who:<18} {shown}")

    def peer_row(self, who, words):
        return self.program(who, "peer_row", "--data", self.args.data, *words)

    def program(self, who, name, *words):
        status, out, errors = self.spawn([self.programs[who] / name, *words], True)
        return json.loads(out) if status == 0 else failure(errors)

    def cli(self, words, pinned=True):
        return self.spawn([self.programs[NATIVE] / "picomlp", *words], pinned)

    def cli_train(self, words, pinned, name="cli.pmlp"):
        out = self.scratch / name
        fixed = ["--data", self.args.data, "--epochs", self.args.epochs, "--val-split", 0]
        status, lines, errors = self.cli(["train", *fixed, *words, "--json", "--out", out], pinned)
        if status != 0:
            return failure(errors)
        events = [json.loads(line) for line in lines.splitlines()]
        seconds = [e["seconds"] for e in events if e.get("event") == "epoch"]
        done = next(e for e in events if e.get("event") == "done")
        wanted = {key: done[key] for key in ("test_accuracy", "fingerprint")}
        return {"seconds": min(seconds), "epoch_seconds": seconds, **wanted}

    def spawn(self, words, pinned):
        done = subprocess.run(
            [str(word) for word in words], text=True, cwd=self.scratch,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=self.pin if pinned else None,
        )
        return done.returncode, done.stdout, done.stderr

    def pin(self):
        if self.args.cpu is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {self.args.cpu})

    def peer(self, who, job):
        """Asks a peer's process, which stays: what it compiled is compiled once, and it sleeps while others run."""
        if who not in self.workers:
            words = [self.python, HERE / "peers.py", who, "--data", self.args.data]
            words += [] if self.args.cpu is None else ["--cpu", str(self.args.cpu)]
            errors = open(self.scratch / f"{who}.txt", "w+")
            self.workers[who] = subprocess.Popen(
                words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
            self.workers[who].errors = errors
        worker = self.workers[who]
        try:
            worker.stdin.write(json.dumps(job) + "\n")
            worker.stdin.flush()
        except BrokenPipeError:
            pass
        line = worker.stdout.readline()
        if line:
            return json.loads(line)
        worker.errors.seek(0)
        return failure(worker.errors.read())

    def stop(self):
        for worker in self.workers.values():
            worker.stdin.close()
            worker.wait()
            worker.errors.close()


def failure(errors):
    lines = errors.strip().splitlines()
    return {"error": lines[-1] if lines else "ended without a word"}


def output(words):
    done = subprocess.run(words, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.strip() or "unknown"


class Table:
    """The results as Markdown."""

    def __init__(self, bench):
        self.bench, self.about = bench, bench.about
        machines = [r for r in bench.results if r["what"] == "machine" and "error" not in r]
        self.machine = {
            key: max(r[key] for r in machines)
            for key, value in (machines[0] if machines else {}).items()
            if isinstance(value, float)
        }
        self.cpu = machines[0]["cpu"] if machines else "unknown"
        self.features = machines[0]["target_features"] if machines else []
        found = {r["vectors"] for r in bench.results if r["who"] == PORTABLE and "vectors" in r}
        self.found = f"kernels with {', '.join(sorted(found))}" if found else "kernels unknown"
        self.peak = self.machine.get("fma_gflops") or self.machine.get("mul_add_gflops")

    def best(self, what, who, field="seconds"):
        found = [r[field] for r in self.bench.results if (r["what"], r["who"]) == (what, who) and field in r]
        if field == "test_accuracy":
            return found[-1] if found else None
        return min(found, default=None)

    def text(self):
        parts = [self.head(), self.training(), self.accuracies(), self.inference(), self.to_reach(), self.notes()]
        return "\n\n".join(part for part in parts if part)

    def head(self):
        a, m = self.about, self.machine
        peak = "; ".join(
            f"{name} {m[key]:.0f} {unit}"
            for name, key, unit in (
                ("FMA peak", "fma_gflops", "GFLOP/s"),
                ("separate multiply and add", "mul_add_gflops", "GFLOP/s"),
                ("read from L1", "l1_read_gbs", "GB/s"),
                ("from L2", "l2_read_gbs", "GB/s"),
                ("from memory", "memory_read_gbs", "GB/s"),
                ("copy in memory", "memory_copy_gbs", "GB/s"),
            )
            if key in m
        )
        clock = f" at {m['clock_ghz']:.2f} GHz (measured)" if "clock_ghz" in m else ""
        packages = ", ".join(f"{name} {version}" for name, version in sorted(a["packages"].items()))
        load = a["load_average"]
        return "\n".join(
            [
                f"# picomlp beside its peers, {a['date']}",
                "",
                f"* Machine: {self.cpu}{clock}, {a['cores']} cores, {a['system']}; load average {load['before']:.1f} "
                f"before, {load['after']:.1f} after (the runs themselves are 1).",
                f"* Measured on one core in the same run: {peak}.",
                f"* picomlp {a['commit']}, {a['rustc']}; native: `-C target-cpu=native` "
                f"({', '.join(self.features)}); portable: no flags, {self.found}.",
                f"* Python {a['python']}, {packages}.",
                "* One core for all. Batches of 64, f32, data in memory, new order each epoch; SGD at 0.1, Adam at 0.001. "
                f"Best of {a['repeat']} × {a['epochs']} epochs.",
                f"* {self.spread()}",
            ]
        )

    def spread(self):
        """How calm it was: a best epoch close to the usual one."""
        ratios = []
        for who in [NATIVE, PORTABLE] + self.bench.trained:
            mine = []
            for what in sorted({r["what"] for r in self.bench.results if r["who"] == who}):
                epochs = [
                    s
                    for r in self.bench.results
                    if (r["what"], r["who"]) == (what, who)
                    for s in r.get("epoch_seconds", [])
                ]
                if len(epochs) > 1:
                    mine.append(statistics.median(epochs) / min(epochs))
            if mine:
                ratios.append(f"{SHOWN.get(who, who)} {statistics.median(mine):.2f}")
        if not ratios:
            return "One epoch each: no spread to show; take nothing from these figures."
        return f"Noise, the median epoch over the best one: {', '.join(ratios)}."

    def dense_seconds(self, hidden):
        """Forward, weight gradients, gradient at the hidden layer; 2 FLOP for each weight, zeros counted."""
        layers = 784 * hidden + hidden * 10
        flops = 2 * layers + 2 * layers + 2 * hidden * 10
        return TRAIN_SAMPLES * flops / (self.peak * 1e9) if self.peak else None

    def rows(self):
        return [(h, o, f"784-{h}-10 {o}") for h in self.bench.widths for o in OPTIMIZERS]

    def training(self):
        peers = self.bench.trained
        head = ["784-H-10", "picomlp", "portable"] + [SHOWN[p] for p in peers] + ["dense limit"]
        head += [f"{SHOWN[p]} / picomlp" for p in peers] + ["picomlp / limit"]
        lines = []
        for hidden, optimizer, what in self.rows():
            mine, limit = self.best(what, NATIVE), self.dense_seconds(hidden)
            others = [self.best(what, peer) for peer in peers]
            line = [f"H={hidden} {SHOWN[optimizer]}", seconds(mine), seconds(self.best(what, PORTABLE))]
            line += [seconds(other) for other in others] + [seconds(limit)]
            line += [times(ratio(other, mine)) for other in others] + [times(ratio(mine, limit))]
            lines.append(line)
        text = (
            "## One epoch of 60,000 samples, in seconds\n\n" + markdown(head, lines) + "\n\n"
            "The dense limit is the time of the dense arithmetic, zeros included, at the FMA peak above:\n"
            "60,000 · (4·(784·H + H·10) + 2·H·10) FLOP, that is forward and weight gradients at 2 FLOP a weight each, and "
            "the gradient\nat the hidden layer; no softmax, no optimizer, no memory. Skipping zeros is how one gets below it."
        )
        mine = self.best("784-128-10 sgd no zeros", NATIVE)
        jax = self.best("784-128-10 sgd no zeros", "jax")
        return text + (
            "\n\nThe same without a single zero among the inputs (each pixel at least 1), H=128 SGD: "
            f"picomlp {seconds(mine)}, JAX {seconds(jax)}, JAX / picomlp {times(ratio(jax, mine))}."
        )

    def accuracies(self):
        everyone = [NATIVE, PORTABLE] + self.bench.trained
        lines = [
            [f"H={h} {SHOWN[o]}"] + [share(self.best(what, who, "test_accuracy")) for who in everyone]
            for h, o, what in self.rows()
        ]
        head = ["784-H-10"] + [SHOWN.get(who, who) for who in everyone]
        return f"## Test accuracy after {self.about['epochs']} epoch(s): all did the same work\n\n" + markdown(head, lines)

    def inference(self):
        lines = []
        mine = [self.best("infer", NATIVE, field) for field in ("p50_us", "seconds")]
        for who in [NATIVE, PORTABLE] + self.bench.inferred:
            p50, p99, call, batched, found = (
                self.best("infer", who, field)
                for field in ("p50_us", "p99_us", "call_us", "seconds", "test_accuracy")
            )
            lines.append(
                [SHOWN.get(who, who), micros(p50), micros(p99), micros(call) if call else "–"]
                + [f"{1e3 * batched:.1f}" if batched else "–", share(found)]
                + [times(ratio(p50, mine[0]))]
                + [times(ratio(p50 - call, mine[0])) if call and mine[0] else "–"]
                + [times(ratio(batched, mine[1]))]
            )
        limit = ""
        if self.peak:
            flops = TEST_SAMPLES * 2 * (784 * 128 + 128 * 10)
            limit = f" The dense arithmetic of 10,000 images at the FMA peak takes {flops / self.peak * 1e-6:.1f} ms."
        head = ["", "p50 µs", "p99 µs", "a call alone µs", "10,000 at batch 256, ms", "accuracy"]
        head += ["p50 / picomlp", "less the call", "batched / picomlp"]
        return (
            "## Inference, 784-128-10, the same weights\n\n" + markdown(head, lines) + "\n\n"
            f"One image at a time, {self.bench.calls:,} calls on {TEST_SAMPLES:,} different images. picomlp is called from "
            "Rust, on u8 pixels in place, and finds the class;\nthe peers are called from Python, on f32 pixels that are "
            "ready, and find the logits. \"A call alone\" is the peer's median for a network\nof one input, one hidden value "
            f"and one output: what of p50 is the call; \"less the call\" takes it off.{limit}"
        )

    def to_reach(self):
        lines = []

        def row(name, value, least, aim, unit="×", lower=False):
            if value is None:
                lines.append([name, "not measured", f"{least}{unit}", f"{aim}{unit}", ""])
                return
            beats = (lambda bound: value <= bound) if lower else (lambda bound: value >= bound)
            verdict = "aim reached" if beats(aim) else "reached" if beats(least) else "**not reached**"
            lines.append([name, f"{value:.4g}{unit}", f"{least}{unit}", f"{aim}{unit}", verdict])

        def trained(what, peer):
            return ratio(self.best(what, peer), self.best(what, NATIVE))

        for optimizer, bounds in (("sgd", ((2.0, 3), (5, 8))), ("adam", ((1.8, 2.5), (4.5, 6)))):
            for peer, (least, aim) in zip(("jax", "torch"), bounds):
                name = f"epoch 784-128-10 {SHOWN[optimizer]} against {SHOWN[peer]}"
                row(name, trained(f"784-128-10 {optimizer}", peer), least, aim)
        for hidden in (32, 512):
            for optimizer in OPTIMIZERS:
                name = f"epoch 784-{hidden}-10 {SHOWN[optimizer]} against JAX"
                row(name, trained(f"784-{hidden}-10 {optimizer}", "jax"), 1.7, 2.5)
        what = "784-128-10 sgd"
        limit = ratio(self.best(what, NATIVE), self.dense_seconds(128))
        row("epoch 784-128-10 SGD over its dense limit", limit, 1.0, 0.7, lower=True)
        for optimizer in OPTIMIZERS:
            what = f"784-128-10 {optimizer}"
            slower = ratio(self.best(what, PORTABLE), self.best(what, NATIVE))
            row(f"portable over native, 784-128-10 {SHOWN[optimizer]}", slower, 1.6, 1.3, lower=True)
        for hidden in (128, 512):
            one, two = (f"cli 784-{hidden}-10, {n} threads" for n in (1, 2))
            faster = ratio(self.best(one, NATIVE), self.best(two, NATIVE))
            alone, both = self.best(one, NATIVE), self.best(f"cli 784-{hidden}-10, two at once", NATIVE)
            most = ratio(2 * alone if alone else None, both)
            name = f"two threads against one, H={hidden}{self.same_bits(one, two)}"
            row(f"{name} (two programs at once: {times(most)})", faster, 1.6, 1.8)
        for peer, least, aim in (("onnxruntime", 5, 10), ("torch", 10, 20)):
            lower = ratio(self.best("infer", peer, "p50_us"), self.best("infer", NATIVE, "p50_us"))
            row(f"latency at batch 1 (p50) against {SHOWN[peer]}", lower, least, aim)
        found = [self.best("infer", peer) for peer in ("onnxruntime", "torch")]
        fastest = None if None in found else min(found)
        faster = ratio(fastest, self.best("infer", NATIVE))
        row("10,000 images at batch 256 against the faster of those", faster, 2, 4)
        row("no zeros, 784-128-10 SGD, against JAX", trained("784-128-10 sgd no zeros", "jax"), 0.7, 1.0)
        slower = ratio(self.best("cli standardised", NATIVE), self.best("cli plain", NATIVE))
        row("standardised over plain MNIST", slower, 1.15, 1.05, lower=True)
        peak = self.best("memory", NATIVE, "megabytes")
        row("peak memory of 10 epochs on the command line", peak, 150, 80, " MB", lower=True)
        head = ["", "measured", "at least", "aim", ""]
        return "## What was to be reached\n\n" + markdown(head, lines)

    def same_bits(self, *whats):
        prints = {r["fingerprint"] for r in self.bench.results if r["what"] in whats and "fingerprint" in r}
        return {0: "", 1: ", same fingerprint"}.get(len(prints), ", FINGERPRINTS DIFFER")

    def notes(self):
        lines = {
            f"* {SHOWN.get(r['who'], r['who'])} does not work here ({r['what']}): {r['error']}"
            for r in self.bench.results
            if "error" in r
        }
        return "\n".join(sorted(lines))


def markdown(head, lines):
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *lines])


def ratio(a, b):
    return a / b if a is not None and b else None


def seconds(value):
    return "–" if value is None else f"{value:.3f}"


def micros(value):
    return "–" if value is None else f"{value:.2f}"


def times(value):
    return "–" if value is None else f"{value:.2f}×"


def share(value):
    return "–" if value is None else f"{100 * value:.2f} %"


if __name__ == "__main__":
    main()
