#!/usr/bin/env bash
# Everything that building, testing and running needs, in .dev/. A second run only looks at stamps.
set -euo pipefail
here=$(dirname "$0")
"$here/place.sh"
"$here/system.sh"
"$here/python.sh"
"$here/cargo-pgrx.sh"
"$here/postgres.sh"
