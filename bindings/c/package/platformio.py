# Names the library of the board's processor to the linker.
import os

Import("env")  # noqa: F821 (PlatformIO's)

board = env.BoardConfig()  # noqa: F821
mcu = board.get("build.mcu", "").lower()
cpu = board.get("build.cpu", mcu)
flags = " ".join(str(flag) for flag in env.get("CCFLAGS", []) + env.get("LINKFLAGS", []))  # noqa: F821
source = os.path.realpath("src")
folder = next((os.path.join(source, name) for name in (mcu, cpu) if os.path.isdir(os.path.join(source, name))), None)
if folder is None:
    raise SystemExit("picomlp: no library for the processor %s, only %s" % (cpu, ", ".join(sorted(os.listdir(source)))))
for abi in sorted(os.listdir(folder)):  # fpv4-sp-d16-hard: the FPU, and how floats are passed
    path = os.path.join(folder, abi)
    if os.path.isdir(path) and "-mfloat-abi=" + abi.rsplit("-", 1)[1] in flags:
        folder = path
        break
env.Append(LIBPATH=[folder], LIBS=["picomlp"])  # noqa: F821
