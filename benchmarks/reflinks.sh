#!/usr/bin/env bash
# Measures copies on a file system with reflinks: XFS, in a file that is mounted while this runs. Prints a table.
# Usage: reflinks.sh ROUNDS FOLDER DATA PROGRAM
#   FOLDER   where the file system lies, 10 GB; a disk is what is wanted to be known, memory shows less difference
#   DATA     the folder of prepare.sh, for root.raw and plain.qcow2
# Needs root, loop devices, mkfs.xfs (xfsprogs), qemu-img and GNU time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rounds=$1 folder=$2 data=$3 ours=$4
work=$(mktemp -d "$folder/reflinks.XXXXXX")
mkdir "$work/mounted"
trap 'cd /; umount "$work/mounted" 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
truncate -s 16G "$work/disk"
mkfs.xfs -q -m reflink=1 "$work/disk"
mount -o loop "$work/disk" "$work/mounted"
cp --sparse=always "$data/root.raw" "$data/plain.qcow2" "$work/mounted"
cd "$work/mounted"

scratch=$work results=$work/results.tsv
. "$here/measure.sh"

used() { sync -f .; df --output=used --block-size=1K . | tail -n 1; }

# copy ROW PROGRAM RESULT COMMAND...: what was there is on the disk already, and what comes is not waited for but by the program itself.
copy() {
    local row=$1 program=$2 result=$3 before
    shift 3
    rm -f "$result"
    sync -f .
    sleep 0.3 # What was removed is given back a moment later.
    before=$(used)
    run "$row" "$program" "$@"
    printf '%s\t%s\t%d\n' "$row" "$program" $((($(used) - before) / 1024)) >> "$work/space.tsv"
}

# merge PROGRAM COMMAND...: an overlay that holds all of the disk, into an empty base.
merge() {
    local program=$1
    shift
    qemu-img create -q -f qcow2 base.qcow2 3G
    cp --reflink=always plain.qcow2 overlay.qcow2
    qemu-img rebase -q -u -b base.qcow2 -F qcow2 overlay.qcow2
    copy 'plain merged into an empty base' "$program" none "$@" overlay.qcow2
    qemu-img compare -q -f qcow2 -F raw base.qcow2 root.raw
    rm base.qcow2 overlay.qcow2
}

for ((round = 0; round < rounds; round++)); do
    copy 'plain to raw' qemu-img to.raw qemu-img convert -f qcow2 -O raw plain.qcow2 to.raw
    copy 'plain to raw' 'qemu-img -C' to.raw qemu-img convert -C -f qcow2 -O raw plain.qcow2 to.raw
    copy 'plain to raw' engine to.raw "$ours" convert plain.qcow2 to.raw
    cmp to.raw root.raw
    rm to.raw
    copy 'raw to plain' qemu-img to.qcow2 qemu-img convert -f raw -O qcow2 root.raw to.qcow2
    copy 'raw to plain' 'qemu-img -C' to.qcow2 qemu-img convert -C -f raw -O qcow2 root.raw to.qcow2
    copy 'raw to plain' engine to.qcow2 "$ours" convert-qcow2 root.raw to.qcow2
    qemu-img check -q to.qcow2
    qemu-img compare -q -f qcow2 -F raw to.qcow2 root.raw
    rm to.qcow2
    copy 'plain to plain' qemu-img to.qcow2 qemu-img convert -f qcow2 -O qcow2 plain.qcow2 to.qcow2
    copy 'plain to plain' engine to.qcow2 "$ours" convert-qcow2 plain.qcow2 to.qcow2
    qemu-img compare -q -f qcow2 -F raw to.qcow2 root.raw
    rm to.qcow2
    merge qemu-img qemu-img commit -q
    merge engine "$ours" merge
done

echo '| row | program | rounds | time, s | CPU, s | new space, MiB |'
echo '|---|---|--:|--:|--:|--:|'
while IFS=$'\t' read -r row program; do
    median() { awk -F '\t' -v row="$row" -v program="$program" -v field="$2" '$1 == row && $2 == program { print $field }' "$1" | sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }
    echo "| $row | $program | $rounds | $(median "$results" 3) | $(median "$results" 4) | $(median "$work/space.tsv" 3) |"
done < <(cut -f 1,2 "$results" | awk '!seen[$0]++')
