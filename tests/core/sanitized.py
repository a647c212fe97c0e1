"""A module written in C, built with the compiler's sanitizers, which stop at the first byte that is read or written
beyond what is its own; and given much that is odd.
"""

import subprocess
import sys
import sysconfig
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from crossfade import core

SOURCES = Path(core.__file__).parent
WATCHED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
STRICT = ("-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers")


def run(name: str, folder: Path) -> str:
    """What ``NAME_fuzz.py`` says of the module of that name."""
    built = folder / f"_{name}.abi3.so"
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-g", *STRICT, *WATCHED, "-shared", "-fPIC",
                    f"-I{sysconfig.get_paths()['include']}", str(SOURCES / f"_{name}.c"), "-o", str(built)], check=True)
    found = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(f"{name}_fuzz.py")), str(built)], check=False,
        capture_output=True, text=True,
        env={"LD_PRELOAD": found.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc",
             "PYTHONPATH": str(SOURCES.parents[1])})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def load(name: str, built: str) -> ModuleType:
    """The module in that file."""
    loader = ExtensionFileLoader(f"crossfade.core._{name}", built)
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module
