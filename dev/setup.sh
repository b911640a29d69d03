#!/usr/bin/env bash
# Everything that building, testing and running needs, in .dev/. A second run only looks at stamps.
set -euo pipefail
here=$(dirname "$0")
"$here/system.sh"
"$here/place.sh"
"$here/python.sh"
"$here/cargo-pgrx.sh"
"$here/postgres.sh"
