#!/usr/bin/env bash
# Stops every server below .dev and removes .dev: downloads, models, databases.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/cluster.sh"

[[ -e $DEV_DIR || -L $ROOT/.dev ]] || exit 0
[[ ! -e $DEV_DIR || -f $DEV_DIR/$MARKER ]] ||
    die "$DEV_DIR was not made by this project (it has no $MARKER): nothing is removed"
for cluster in "$DEV_DIR"/server-* "$DEV_DIR"/test/*; do
    cluster_stop "$cluster"
done
rm -rf "${DEV_DIR:?}"
# Only the link to what was just removed: with a DEV_DIR of your own, .dev is another folder.
[[ ! -L $ROOT/.dev || -e $ROOT/.dev ]] || rm "$ROOT/.dev"
step "removed $DEV_DIR"
