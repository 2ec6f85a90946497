// Runs a program for wasm32-wasip1, such as a test binary: node wasi.mjs PROGRAM.wasm [ARGUMENT …]
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const [path, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: [path, ...args], returnOnExit: true });
const imports = { wasi_snapshot_preview1: wasi.wasiImport };
const { instance } = await WebAssembly.instantiate(readFileSync(path), imports);
process.exitCode = wasi.start(instance);
