"""Runs StableHLO programs on XLA's CPU compiler and compares with the results beside them.

    python stablehlo_roundtrip.py DIR [--only NAME] [--show N]

Each folder of DIR is a case: program.mlir, inputs.npz, outputs.npz (arrays a0, a1, ...), meta.json with the element types
(types that .npy cannot name are stored as integers of their size) and, for each output, what error is allowed:
atol + rtol * (|want| + scaled * largest |want|). Integers, bools, infinities and NaNs have to be the same.
The text is parsed by JAX's own MLIR parser, verified, compiled and run, in a process that is started anew when a case kills it.
Prints `N of M agree`; fails unless all do.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import sys
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Narrow floats are rounded where the program says so.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_allow_excess_precision=false"

import jax
import jax.extend.backend
import ml_dtypes
import numpy as np
from jax._src.interpreters import mlir
from jax._src.lib import xla_client
from jax._src.lib.mlir import ir

jax.config.update("jax_enable_x64", True)


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name, None) or name)


def load(path, ports):
    with np.load(path) as arrays:
        return [arrays[p["key"]].view(dtype_of(p["dtype"])).reshape(p["shape"]) for p in ports]


class Xla:
    """JAX's CPU client."""

    def __init__(self):
        self.client = jax.extend.backend.get_backend("cpu")
        self.devices = self.client.local_devices()[:1]
        self.options = jax.extend.backend.get_compile_options(num_replicas=1, num_partitions=1)

    def compile(self, text):
        with mlir.make_ir_context():
            module = ir.Module.parse(text)
            module.operation.verify()
            devices = xla_client.DeviceList(tuple(self.devices))
            return self.client.compile_and_load(module, devices, self.options)

    def run(self, program, inputs):
        buffers = [jax.device_put(x, self.devices[0]) for x in inputs]
        return [np.asarray(y) for y in program.execute(buffers)]


def compare(got, want, tolerance):
    """None, or what differs first."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}"
    if want.size == 0:
        return None
    if want.dtype == np.bool_ or np.issubdtype(want.dtype, np.integer) or "int" in want.dtype.name:
        bad = np.asarray(got != want)
        error = bad.astype(np.float64)
    else:
        wide = np.complex128 if want.dtype.kind == "c" else np.float64
        g, w = got.astype(wide), want.astype(wide)
        with np.errstate(all="ignore"):
            parts = [(g, w)] if wide is np.float64 else [(g.real, w.real), (g.imag, w.imag)]
            finite = np.abs(w)[np.isfinite(w)]
            largest = float(finite.max()) if finite.size else 0.0
            allowed = tolerance["atol"] + tolerance["rtol"] * (np.abs(w) + tolerance["scaled"] * largest)
            bad = np.zeros(want.shape, bool)
            error = np.zeros(want.shape)
            for a, b in parts:
                same = (a == b) | (np.isnan(a) & np.isnan(b))
                near = np.isfinite(a) & np.isfinite(b) & (np.abs(a - b) <= allowed)
                bad |= ~(same | near)
                error = np.maximum(error, np.where(same, 0, np.abs(a - b)))
    if not bad.any():
        return None
    at = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{int(bad.sum())} of {bad.size} elements differ; first at {list(at)}: xla {got[at]!r}, kiln {want[at]!r}; largest error {np.nanmax(error):.3g}"


def check(xla, folder):
    meta = json.loads((folder / "meta.json").read_text())
    inputs = load(folder / "inputs.npz", meta["inputs"])
    wanted = load(folder / "outputs.npz", meta["outputs"])
    text = (folder / "program.mlir").read_text()
    start = time.time()
    program = xla.compile(text)
    compiled = time.time() - start
    results = xla.run(program, inputs)
    if len(results) != len(wanted):
        return [f"{len(results)} results instead of {len(wanted)}"], compiled
    named = [f"result {i}" for i in range(len(wanted))]
    differences = [compare(g, w, t) for g, w, t in zip(results, wanted, meta["tolerances"])]
    return [f"{n}: {d}" for n, d in zip(named, differences) if d], compiled


def work(pipe):
    """Answers folders with what differs and the time to compile."""
    xla = Xla()
    while True:
        folder = pipe.recv()
        try:
            answer = check(xla, folder)
        except Exception as e:
            lines = str(e).strip().splitlines() or [type(e).__name__]
            answer = [" | ".join(lines[:4])[:600]], 0.0
        pipe.send(answer)


class Worker:
    """A process that checks cases, and another one after a crash."""

    def __init__(self):
        self.context = multiprocessing.get_context("spawn")
        self.start()

    def start(self):
        self.pipe, theirs = self.context.Pipe()
        self.process = self.context.Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def check(self, folder):
        self.pipe.send(folder)
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            self.start()
            return [f"the process died (exit code {code})"], 0.0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--show", type=int, default=3, help="differences shown of each case")
    parser.add_argument("--quiet", action="store_true", help="only cases that differ, and the count")
    args = parser.parse_args()
    folders = sorted(p.parent for p in args.dir.glob("*/meta.json") if args.only in p.parent.name)
    worker, agree = Worker(), 0
    for folder in folders:
        differences, compiled = worker.check(folder)
        if not differences:
            agree += 1
            if not args.quiet:
                print(f"{folder.name}: same ({compiled:.2f} s to compile)", flush=True)
            continue
        print(f"{folder.name}: {len(differences)} differences", flush=True)
        for line in differences[: args.show]:
            print(f"    {line}")
    print(f"{agree} of {len(folders)} agree")
    return 0 if folders and agree == len(folders) else 1


if __name__ == "__main__":
    sys.exit(main())
