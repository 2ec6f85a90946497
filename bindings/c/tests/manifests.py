"""Checks the manifests of a packed library: python manifests.py FOLDER (platformio, kconfiglib, PyYAML).

library.json and library.properties are read and validated by PlatformIO's own parser and schema. The rules of the others are those of
Arduino's library specification and of Zephyr's scripts/zephyr_module.py; Zephyr's Kconfig is read by kconfiglib.
"""

import pathlib
import sys

import kconfiglib
import yaml
from platformio.package.manifest.parser import ManifestParserFactory
from platformio.package.manifest.schema import ManifestSchema

FOLDER = pathlib.Path(sys.argv[1]).resolve()
VERSION = FOLDER.name.rsplit("-", 1)[1]

# PlatformIO loads SPDX's list of licenses from the network; these are the two that ours are.
ManifestSchema.load_spdx_licenses = staticmethod(lambda: {"licenses": [{"licenseId": "MIT"}, {"licenseId": "Apache-2.0"}]})


def require(holds, message):
    if not holds:
        sys.exit(f"{FOLDER}: {message}")


def platformio():
    for name in ["library.json", "library.properties"]:
        manifest = ManifestParserFactory.new_from_file(str(FOLDER / name)).as_dict()
        manifest = ManifestSchema().load_manifest(manifest)
        require(manifest["version"] == VERSION, f"{name}: version {manifest['version']}, expected {VERSION}")
        for example in manifest.get("examples", []):
            for file in example["files"]:
                require((FOLDER / example["base"] / file).is_file(), f"{name}: no {example['base']}/{file}")
        print(f"{name}: valid for PlatformIO")


def arduino():
    lines = (FOLDER / "library.properties").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines if line)
    allowed = {
        "name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures", "depends", "dot_a_linkage",
        "includes", "precompiled", "ldflags", "license",
    }
    categories = {
        "Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage", "Data Processing",
        "Other", "Uncategorized",
    }
    required = ["name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"]
    for name in required:
        require(fields.get(name), f"library.properties: {name} is missing")
    require(fields.keys() <= allowed, f"library.properties: {fields.keys() - allowed} are not known")
    require(fields["category"] in categories, f"library.properties: category {fields['category']}")
    require(fields["precompiled"] in ["true", "full"], f"library.properties: precompiled {fields['precompiled']}")
    require((FOLDER / "src" / fields["includes"]).is_file(), f"library.properties: no src/{fields['includes']}")
    # A precompiled library is linked by the flags that name it, from a folder that is called as the compiler's -mcpu.
    library = "lib" + fields["ldflags"].removeprefix("-l") + ".a"
    require(list(FOLDER.glob(f"src/*/**/{library}")), f"library.properties: no src/*/{library}")
    for sketch in FOLDER.glob("examples/**/*.ino"):
        require(sketch.stem == sketch.parent.name, f"{sketch}: its folder has another name")
    print("library.properties: as Arduino's specification has it")


def zephyr():
    module = yaml.safe_load((FOLDER / "zephyr/module.yml").read_text())
    build = module["build"]
    require(module.keys() <= {"name", "build", "tests", "samples", "boards"}, f"module.yml: {module.keys()}")
    require(build.keys() <= {"cmake", "kconfig", "depends", "settings"}, f"module.yml: build: {build.keys()}")
    require((FOLDER / build["cmake"] / "CMakeLists.txt").is_file(), f"module.yml: no {build['cmake']}/CMakeLists.txt")
    for sample in module["samples"]:
        tests = yaml.safe_load((FOLDER / sample / "sample.yaml").read_text())
        require(tests["sample"]["name"] and tests["tests"], f"{sample}/sample.yaml: no sample or no tests")
    kconfig = kconfiglib.Kconfig(str(FOLDER / build["kconfig"]), warn_to_stderr=False)
    require("PICOMLP" in kconfig.syms and not kconfig.warnings, f"{build['kconfig']}: {kconfig.warnings}")
    print("module.yml, Kconfig: as Zephyr's zephyr_module.py has it")


platformio()
arduino()
zephyr()
