#!/usr/bin/env bash
# Stops every server below .dev and removes .dev: downloads, models, databases.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/cluster.sh"

for pid_file in "$DEV_DIR"/server-*/data/postmaster.pid "$DEV_DIR"/test/*/data/postmaster.pid; do
    [[ -f $pid_file ]] || continue
    PGBIN=$(cat "$(dirname "$pid_file")/../programs") # the PostgreSQL that the cluster was started with
    cluster_stop "$(realpath "$(dirname "$pid_file")/..")"
done
rm -rf "${DEV_DIR:?}"
[[ ! -L $ROOT/.dev ]] || rm "$ROOT/.dev"
step "removed $DEV_DIR"
