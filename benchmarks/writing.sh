#!/usr/bin/env bash
# Measures writing beside qemu-img bench and qemu-io. Called by run.sh; alone: writing.sh ROUNDS FOLDER PROGRAM RESULTS
# Needs 5 GB in the folder.
set -euo pipefail
rounds=$1 out=$2/writing ours=$3 results=$4
rm -rf "$out"
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT
cd "$out"
size=1G
step=$((162013 * 4096)) # The step of qcow2-benchmarks: the same requests for both.

record() { printf '%s\t%s\t%s\n' "$@" | tee -a "$results" >&2; }

# bench ROW REQUESTS OPTION...: one run of qemu-img bench, as requests a second.
bench() {
    local row=$1 count=$2
    shift 2
    qemu-img bench -f qcow2 -c "$count" "$@" theirs.qcow2 > bench.text
    record "$row" qemu "$(awk -v count="$count" '/^Run completed/ { printf "%.1f", count / $4 }' bench.text)"
}
small() { bench "$1" 10000 -d 20 -s 4096 -S "$step" "${@:2}"; }

# engine COMMAND IMAGE WRITES READS: one run of ours, two passes; an empty name leaves a row out.
engine() {
    local pass what value row
    while read -r pass what value; do
        [[ $what == write ]] && row=$3 || row=$4
        [[ -z $row ]] || record "$row" "$pass" "$value"
    done < <("$ours" "$1" "$2")
}

# same IMAGE DISK: the image is sound and holds what was written.
same() {
    qemu-img check -q "$1"
    qemu-img compare -q -f qcow2 -F raw "$1" "$2"
}

fresh() { qemu-img create -q -f qcow2 theirs.qcow2 "$size"; }

"$ours" make-expected scattered.raw sequential.raw
writes='4 KiB writes, 20 callers, fresh image' reads='4 KiB reads of what was written'
for ((round = 0; round < rounds; round++)); do
    fresh
    small "$writes" -w --flush-interval=10000
    small "$reads"
    rm theirs.qcow2
    engine write-scattered ours.qcow2 "$writes" "$reads"
    same ours.qcow2 scattered.raw
    engine write-random ours.qcow2 'the same writes at random offsets' 'the same reads at random offsets'
    qemu-img check -q ours.qcow2
    rm ours.qcow2
done

writes='4 KiB writes, 20 callers, full image' reads='4 KiB reads, 20 callers, full image'
qemu-img convert -f raw -O qcow2 sequential.raw theirs.qcow2
cp theirs.qcow2 ours.qcow2
for ((round = 0; round < rounds; round++)); do
    small "$reads"
    small "$writes" -w --flush-interval=10000
    engine write-in-place ours.qcow2 "$writes" "$reads"
    qemu-img check -q ours.qcow2
done
rm theirs.qcow2 ours.qcow2

writes='1 MiB sequential writes, fresh image (MiB)'
for ((round = 0; round < rounds; round++)); do
    fresh
    bench "$writes" 1024 -d 1 -s 1M -w --flush-interval=1024
    fresh
    qemu-io -f qcow2 -c "write 0 $size" theirs.qcow2 > bench.text
    record 'beside one write of 1 GiB by qemu-io (MiB)' qemu "$(awk '/iB\/sec/ { sub(/.*\(/, ""); printf "%.1f", $1 * ($2 ~ /^GiB/ ? 1024 : 1) }' bench.text)"
    rm theirs.qcow2
    engine write-sequential ours.qcow2 "$writes" ''
    same ours.qcow2 sequential.raw
    rm ours.qcow2
done
