#!/usr/bin/env bash
# Builds the benchmarks' data, outside the repository. What exists already is kept.
# Usage: prepare.sh DATA-FOLDER BENCHMARK-PROGRAM [formats | session]
#   formats, session  only what formats.sh, or session.sh, needs
set -euo pipefail
data=$1
program=$2
mkdir -p "$data"

# Content: files of this machine's /usr, the same ones each time, until they come to this many bytes.
content_bytes=$((1600 << 20))
disk_size=3G

# make FILE COMMAND...: runs a command that makes "$target", and gives it its name only when it is complete.
make() {
    local file=$data/$1
    shift
    [[ -e $file ]] && return
    echo "preparing ${file##*/}" >&2
    target=$data/.unfinished.${file##*/}
    rm -rf "$target"
    "$@"
    mv "$target" "$file"
}

root_file_system() {
    local staging=$data/.unfinished.files
    rm -rf "$staging"
    mkdir "$staging"
    find /usr -xdev -type f -readable -size +0 -size -64M -printf '%s %p\n' 2>/dev/null \
        | LC_ALL=C sort -k 2 \
        | shuf --random-source=<(yes 2>/dev/null) \
        | awk -v limit="$content_bytes" '{ total += $1; if (total <= limit) { sub(/^[0-9]+ /, ""); print } }' \
        | tar --create --absolute-names --no-recursion --files-from=- --file=- 2>/dev/null \
        | tar --extract --strip-components=1 --directory="$staging" --no-same-owner
    truncate -s "$disk_size" "$target"
    mke2fs -q -t ext4 -F -E root_owner=0:0 -d "$staging" "$target"
    rm -rf "$staging"
}

variant() {
    qemu-img convert -f raw -O qcow2 "$@" "$data/root.raw" "$target"
}

sparse() {
    "$program" make-sparse "$target"
    qemu-img check -q "$target"
}

preallocated() { qemu-img create -q -f qcow2 -o preallocation=metadata "$target" 1T; }

# A thousand images of eight kinds, as a folder of virtual machines might have them.
many() {
    mkdir "$target"
    (
        cd "$target"
        qemu-img create -q -f qcow2 kind0 20G
        qemu-img create -q -f qcow2 -o compat=0.10 kind1 20G
        qemu-img create -q -f qcow2 -o compression_type=zstd kind2 40G
        qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128k kind3 40G
        qemu-img create -q -f qcow2 -o cluster_size=2M,lazy_refcounts=on kind4 1T
        qemu-img create -q -f qcow2 -b kind0 -F qcow2 kind5
        qemu-img create -q -f qcow2 kind6 10G
        qemu-img snapshot -c before kind6
        qemu-img snapshot -c after kind6
        qemu-img create -q -f qcow2 kind7 10G
        qemu-img bitmap --add kind7 backup
        for ((i = 0; i < 1000; i++)); do
            cp --sparse=always "kind$((i % 8))" "$(printf 'disk-%04d.qcow2' "$i")"
        done
        mv kind0 base.img
        rm kind?
        for ((i = 5; i < 1000; i += 8)); do
            qemu-img rebase -q -u -b base.img -F qcow2 "$(printf 'disk-%04d.qcow2' "$i")"
        done
    )
}

make root.raw root_file_system
make plain.qcow2 variant
[[ ${3:-} != formats ]] || exit 0
make zstd.qcow2 variant -c -o compression_type=zstd
make deflate.qcow2 variant -c
[[ ${3:-} != session ]] || exit 0
make extended.qcow2 variant -o extended_l2=on
make large.qcow2 variant -o cluster_size=2M
make many many
make sparse.qcow2 sparse
make preallocated.qcow2 preallocated
