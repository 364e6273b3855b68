# Sourced by every finding. `environment PIN...` sets PYTHON to a Python that has exactly these
# packages; WORK is an empty folder that goes away at the end. FINDINGS_PYTHON may name a Python to
# use instead of a new environment; it is taken only if its versions are the pinned ones.
set -euo pipefail
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export WORK OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error

environment() {
    if [[ -n ${FINDINGS_PYTHON:-} ]] && "$FINDINGS_PYTHON" - "$@" <<'EOF'
import sys
from importlib.metadata import PackageNotFoundError, version

for pin in sys.argv[1:]:
    name, wanted = pin.split("==")
    try:
        found = version(name).split("+")[0]
    except PackageNotFoundError:
        found = None
    if found != wanted:
        print(f"FINDINGS_PYTHON has {name} {found}, not {wanted}: making an environment")
        sys.exit(1)
EOF
    then
        PYTHON=$FINDINGS_PYTHON
        return
    fi
    python3 -m venv "$WORK/venv"
    PYTHON=$WORK/venv/bin/python
    "$PYTHON" -m pip install --quiet --no-compile --disable-pip-version-check "$@"
}
