// Runs the golden run's module: node golden.mjs MODULE.wasm
import { readFileSync } from "node:fs";

const text = [];
const imports = { env: { put: (byte) => text.push(byte) } };
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), imports);
instance.exports.golden();
process.stdout.write(Buffer.from(text));
