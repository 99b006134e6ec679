#!/usr/bin/env bash
# Measures conversions between qcow2 and the formats of others beside qemu-img. Called by run.sh; alone: formats.sh ROUNDS FOLDER PROGRAM RESULTS
# FOLDER has root.raw and plain.qcow2 (prepare.sh), and needs 8 GB more.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rounds=$1 data=$2 out=$2/formats ours=$3 results=$4
rm -rf "$out"
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT
cd "$out"

scratch=$out
. "$here/measure.sh"

# The formats, each as we call it, as qemu-img does, and with the options that make qemu-img write the same kind of file.
formats='raw:raw: vhdx:vhdx: vhd:vpc:force_size=on vdi:vdi: vmdk:vmdk: stream:vmdk:subformat=streamOptimized'

# from_qcow2 ROW OURS THEIRS OPTIONS: both make a file of the format, and what we made is compared once.
from_qcow2() {
    local file=disk.$2
    settle "$file"
    run "$1" qemu-img qemu-img convert -f qcow2 -O "$3" ${4:+-o "$4"} "$data/plain.qcow2" "$file"
    settle "$file"
    run "$1" engine "$ours" convert-to "$2" "$data/plain.qcow2" "$file"
    if ((round == 0)); then
        qemu-img compare -q -f "$3" -F raw "$file" "$data/root.raw"
    fi
    rm "$file"
}

# to ROW LAYOUT FORMAT SOURCE: both make a file of the layout from one of the format.
to() {
    local file=disk.to
    settle "$file"
    run "$1" qemu-img qemu-img convert -f "$3" -O "$2" "$4" "$file"
    settle "$file"
    run "$1" engine "$ours" convert-to "$2" "$4" "$file"
    if ((round == 0)); then
        qemu-img compare -q -f "$2" -F raw "$file" "$data/root.raw"
    fi
    rm "$file"
}

for ((round = 0; round < rounds; round++)); do
    for format in $formats; do
        IFS=: read -r name theirs options <<< "$format"
        from_qcow2 "qcow2 to $name" "$name" "$theirs" "$options"
    done
done

# And back, from the files that we make.
for format in $formats; do
    IFS=: read -r name theirs options <<< "$format"
    [[ $name != raw ]] || continue
    "$ours" convert-to "$name" "$data/plain.qcow2" "source.$name"
    for ((round = 0; round < rounds; round++)); do
        to "$name to raw" raw "$theirs" "source.$name"
        to "$name to qcow2" qcow2 "$theirs" "source.$name"
    done
    rm "source.$name"
done
