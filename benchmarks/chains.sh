#!/usr/bin/env bash
# Measures merging and rebasing of overlays beside qemu-img. Called by run.sh; alone: chains.sh ROUNDS FOLDER PROGRAM RESULTS
# Needs 8 GB in the folder.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rounds=$1 out=$2/chains ours=$3 results=$4
rm -rf "$out"
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT
cd "$out"

scratch=$out
. "$here/measure.sh"

# same IMAGE DISK: the image is sound and holds what it must.
same() {
    qemu-img check -q "$1"
    qemu-img compare -q -f qcow2 -F raw "$1" "$2"
}

# Two disks of 1 GiB that are different everywhere, and one that is like the first in every other 8 MiB.
"$ours" make-expected scattered.raw one.raw
openssl enc -aes-128-ctr -nosalt -pbkdf2 -pass pass:x < one.raw > two.raw 2> /dev/null
cp one.raw half.raw
for ((i = 0; i < 128; i += 2)); do
    dd if=two.raw of=half.raw bs=8M skip="$i" seek="$i" count=1 conv=notrunc status=none
done
rm scattered.raw
for disk in one two half; do
    qemu-img convert -f raw -O qcow2 "$disk.raw" "$disk.qcow2"
done

# merge ROW BASE: an overlay that holds all of the disk, into a base.
merge() {
    local program
    for program in qemu-img engine; do
        cp --sparse=always "$2" base.qcow2
        cp --sparse=always two.qcow2 overlay.qcow2
        qemu-img rebase -q -u -b base.qcow2 -F qcow2 overlay.qcow2
        if [[ $program == engine ]]; then run "$1" engine "$ours" merge overlay.qcow2; else run "$1" qemu-img qemu-img commit -q overlay.qcow2; fi
        same base.qcow2 two.raw
        same overlay.qcow2 two.raw
        rm base.qcow2 overlay.qcow2
    done
}

# rebase ROW OLD NEW FORMAT: an overlay that holds 1 MiB, from one base to another.
rebase() {
    local program
    for program in qemu-img engine; do
        qemu-img create -q -f qcow2 -b "$2" -F qcow2 overlay.qcow2
        qemu-io -f qcow2 -c 'write -q -P 7 100M 1M' overlay.qcow2
        qemu-img convert -O raw overlay.qcow2 expected.raw
        if [[ $program == engine ]]; then
            run "$1" engine "$ours" rebase overlay.qcow2 "$3"
        else
            run "$1" qemu-img qemu-img rebase -q -f qcow2 -b "$3" ${3:+-F qcow2} overlay.qcow2
        fi
        same overlay.qcow2 expected.raw
        rm overlay.qcow2 expected.raw
    done
}

qemu-img create -q -f qcow2 empty.qcow2 1G
qemu-img create -q -f qcow2 -b one.qcow2 -F qcow2 middle.qcow2
qemu-io -f qcow2 -c 'write -q -P 9 500M 32M' middle.qcow2
for ((round = 0; round < rounds; round++)); do
    merge '1 GiB merged into a base that is full' one.qcow2
    merge '1 GiB merged into a base that is empty' empty.qcow2
    rebase '1 GiB rebased, half of the new base differs' one.qcow2 half.qcow2
    rebase '1 GiB rebased, the new base is the same' one.qcow2 one.qcow2
    rebase '1 GiB rebased to the base of its base' middle.qcow2 one.qcow2
    rebase '1 GiB rebased to none' one.qcow2 ''
done
