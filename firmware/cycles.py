#!/usr/bin/env python3
"""Models the cycles of a firmware program's function from the instructions that QEMU executes.

    firmware/cycles.py IMAGE FUNCTION [--most N] [--board mps2-an386] [--mca cortex-m7]

QEMU traces every instruction of the calls of FUNCTION (a piece of its mangled name). Each takes the cycles of the manual's table
(TABLE below), or, with --mca, each basic block those of llvm-mca for that processor, repeated back to back. Neither knows wait states
of the flash, caches or contention on the bus: with slow flash a program takes longer.

Sources: Arm 100166_0001 (Cortex-M4 Technical Reference Manual r0p1), tables 3-1 and 7-1.
Needs qemu-system-arm, an objdump for Arm, and llvm-mca for --mca.
"""

import argparse
import collections
import re
import shutil
import subprocess

TAKEN = 2  # cycles more than one of a taken branch: 1 to 3, "depending on the alignment and width of the target"
DIVIDE = 7  # of 2 to 12

# The first pattern that matches a mnemonic; its cycles, given the number of registers in a list and the one before.
TABLE = [
    (r"v(div|sqrt)", lambda n, _: 14),
    (r"v(n?ml[as]|fn?m[as])", lambda n, _: 3),
    (r"v(ldm|stm|push|pop)", lambda n, _: 1 + n),
    (r"v(ldr|str)", lambda n, _: 2),
    (r"v", lambda n, _: 1),
    (r"(ldm|stm|push|pop|ldrd|strd)", lambda n, _: 1 + n),
    (r"str", lambda n, _: 1),
    # A load behind a load or a store is pipelined.
    (r"ldr", lambda n, before: 1 if re.match(r"(ldr|str)(?!d)", before) else 2),
    (r"(mla|mls)", lambda n, _: 2),
    (r"[us]div", lambda n, _: DIVIDE),
    (r"", lambda n, _: 1),
]


def disassemble(image):
    """Instructions by address: mnemonic, operands; and functions' addresses by name."""
    objdump = next(filter(shutil.which, ["arm-none-eabi-objdump", "llvm-objdump"]), "objdump")
    text = subprocess.run([objdump, "-d", "--no-show-raw-insn", image], check=True, capture_output=True, text=True).stdout
    code, functions = {}, {}
    for line in text.splitlines():
        if match := re.match(r"([0-9a-f]+) <(.*)>:", line):
            functions.setdefault(match[2], int(match[1], 16))
        elif match := re.match(r"\s*([0-9a-f]+):\s+(\S+)\s*([^;@]*)", line):
            code[int(match[1], 16)] = (match[2].lower(), match[3].strip())
    return code, functions


def registers(operands):
    """Registers in a list, such as {r4-r6, lr}; two without one, as of ldrd."""
    listed = re.search(r"\{(.*)\}", operands)
    if not listed:
        return 2
    count = 0
    for part in listed[1].split(","):
        ends = [int(number) for number in re.findall(r"\d+", part)]
        count += ends[1] - ends[0] + 1 if len(ends) == 2 else 1
    return count


def trace(image, board, code, entry, most):
    """Addresses that are executed in calls of `entry`, one list a call."""
    command = ["qemu-system-arm", "-display", "none", "-serial", "none", "-monitor", "none", "-machine", board]
    command += ["-icount", "shift=0", "-singlestep", "-d", "exec,nochain", "-D", "/dev/stderr"]
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", image]
    qemu = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    calls, inside, leave, before, total = [], None, None, None, 0
    for line in qemu.stderr:
        if not line.startswith("Trace"):
            continue
        at = int(line.split("[", 1)[1].split("/")[1], 16) & ~1
        if inside is None and at == entry:
            # Behind the instruction that called.
            leave = min(address for address in code if address > before)
            inside = []
        elif inside is not None and at == leave:
            calls.append(inside)
            inside = None
            if total >= most:
                break
        if inside is not None:
            inside.append(at)
            total += 1
            if total >= 2 * most:  # a call that takes longer: its beginning
                calls.append(inside)
                break
        before = at
    qemu.kill()
    qemu.wait()
    return calls


def by_table(code, calls):
    """Cycles of all calls."""
    following = dict(zip(sorted(code), sorted(code)[1:]))
    cycles = 0
    for call in calls:
        before = ""
        for at, then in zip(call, call[1:] + [None]):
            mnemonic, operands = code[at]
            cost = next(cost for pattern, cost in TABLE if re.match(pattern, mnemonic))
            cycles += cost(registers(operands), before)
            if then is not None and then != following.get(at):
                cycles += TAKEN
            before = mnemonic
    return cycles


def by_mca(code, calls, processor):
    """Cycles of all calls: those of each basic block, times how often it is executed."""
    following = dict(zip(sorted(code), sorted(code)[1:]))
    blocks = collections.Counter()
    for call in calls:
        block = []
        for at, then in zip(call, call[1:] + [None]):
            block.append(at)
            if then != following.get(at) or code[at][0].startswith(("b", "cb")):
                blocks[tuple(block)] += 1
                block = []
    cycles = 0.0
    for block, count in blocks.items():
        lines = []
        for at in block:
            mnemonic, operands = code[at]
            operands = re.sub(r"\s*<.*>", "", operands)
            if re.match(r"(b|cb|it)", mnemonic) and mnemonic not in ("bic", "bics", "bic.w", "bfi", "bfc"):
                mnemonic, operands = "nop", ""  # targets are unknown to it; a branch takes a slot
            lines.append(f"{re.sub(r'[.][nw]$', '', mnemonic)} {operands}")
        command = ["llvm-mca", "-mtriple=thumbv7em-none-eabihf", f"-mcpu={processor}", "-iterations=100"]
        text = "\n".join([".syntax unified", *lines])
        said = subprocess.run(command, input=text, capture_output=True, text=True)
        found = re.search(r"Total Cycles:\s+(\d+)", said.stdout)
        cycles += count * (int(found[1]) / 100 if found else len(block))
    return round(cycles)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("function")
    parser.add_argument("--most", type=int, default=1_000_000, help="instructions to trace, about")
    parser.add_argument("--board", default="mps2-an386", help="QEMU's board")
    parser.add_argument("--mca", metavar="CPU", help="by llvm-mca's model of this processor")
    args = parser.parse_args()
    code, functions = disassemble(args.image)
    found = [address for name, address in functions.items() if args.function in name]
    if len(found) != 1:
        parser.error(f"{len(found)} functions have `{args.function}` in their names, expected one")
    calls = trace(args.image, args.board, code, found[0], args.most)
    if not calls:
        parser.error(f"no call of {args.function} came to its end")
    instructions = sum(map(len, calls))
    cycles = by_mca(code, calls, args.mca) if args.mca else by_table(code, calls)
    model = f"llvm-mca, {args.mca}" if args.mca else "table of the Cortex-M4"
    print(f"{args.function}: {len(calls)} calls, {instructions / len(calls):,.0f} instructions, "
          f"{cycles / len(calls):,.0f} cycles each ({model}), {cycles / instructions:.2f} an instruction")


if __name__ == "__main__":
    main()
