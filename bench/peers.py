"""A Python for the peers, apart from the project's: made from ``requirements.txt`` beside this file, once."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements.txt"


def python(folder: Path) -> tuple[Path | None, str]:
    """The interpreter; or None, and why there is none."""
    known, found = folder / "requirements.sha256", folder / "bin" / "python"
    wanted = sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if known.exists() and known.read_text() == wanted and found.exists():
        return found, ""
    print(f"installing the peers into {folder} …", file=sys.stderr)
    for command in ([sys.executable, "-m", "venv", "--clear", str(folder)],
                    [str(found), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--only-binary",
                     ":all:", "--require-hashes", "-r", str(REQUIREMENTS)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            told = done.stderr.strip().splitlines() or ["no reason given"]
            return None, f"the peers could not be installed: {told[-1][:200]}"
    known.write_text(wanted)
    return found, ""


def versions(interpreter: Path) -> dict[str, str]:
    """Of every package that it has."""
    asked = ("import json; from importlib.metadata import distributions; "
             "print(json.dumps({one.name: one.version for one in distributions()}))")
    done = subprocess.run([interpreter, "-c", asked], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return {name: found[name] for name in sorted(found, key=str.lower) if name not in {"pip", "setuptools"}}
