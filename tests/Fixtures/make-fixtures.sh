#!/usr/bin/env bash
# Makes every fixture in images/, what qemu-img says of each in expected/, fixtures.tsv and README.md.
# Needs qemu-utils, openssl and python3; qemu-system-x86 for the fixture with VM state, which is kept as it is without.
# Guest content is the same in every run. LUKS keys, UUIDs and VM state are not, so those files change.
set -euo pipefail
export LC_ALL=C TZ=UTC
cd "$(dirname "$0")"
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/images/sub" "$work/data" "$work/expected"
patch() { python3 "$here/patch.py" "$@"; }

# Data. Every sector of a text file names the file and its own index; noise does not compress.
text() { # NAME BYTES
    awk -v name="$1" -v count="$(($2 / 512))" 'BEGIN {
        for (i = 0; i < count; i++) {
            word = sprintf("%s %07d ", name, i); line = ""
            while (length(line) < 511) line = line word
            print substr(line, 1, 511)
        }
    }' >"$work/data/$1"
}
rough() { # NAME BYTES: half way between; sectors of hexadecimal digits
    noise "$1" "$(($2 / 2))"
    od -An -v -tx1 "$work/data/$1" | tr -d ' \n' >"$work/data/$1.hex"
    mv "$work/data/$1.hex" "$work/data/$1"
}
noise() { # NAME BYTES
    openssl enc -aes-128-ctr -nosalt -K "$(printf '%s' "$1" | od -An -tx1 | tr -d ' \n' | head -c 32)" \
        -iv 00000000000000000000000000000000 </dev/zero 2>/dev/null | head -c "$2" >"$work/data/$1" || true
    [ "$(stat -c %s "$work/data/$1")" = "$2" ]
}
place() { # FILE NAME BYTES OFFSET-IN-FILE
    dd if="$work/data/$2" of="$work/data/$1" bs=512 count=$(($3 / 512)) seek=$(($4 / 512)) conv=notrunc status=none
}
for name in a b c d e; do text "$name" 262144; done
noise noise 65536
rough rough 12288
# disk.raw, 1 MiB: text, hole, noise, hole, text, digits, lone sectors, one byte repeated, hole, text in the last sector.
truncate -s 1M "$work/data/disk.raw"
place disk.raw a 65536 0
place disk.raw noise 4096 131072
place disk.raw b 32768 262144
place disk.raw rough 12288 327680
for i in 0 1 2 3 4 5 6 7; do place disk.raw c 512 $((393216 + i * 8704)); done
head -c 65536 /dev/zero | tr '\0' U >"$work/data/u"
place disk.raw u 65536 655360
place disk.raw d 512 $((1048576 - 512))
# big.raw, 8 MiB + 1,536 bytes: for clusters of 2 MiB, and for a size that is no multiple of a cluster.
truncate -s $((8388608 + 1536)) "$work/data/big.raw"
place big.raw a 4096 0
place big.raw b 8192 $((2097152 - 4096))
place big.raw noise 4096 $((6291456 + 1024))
place big.raw c 1536 8388608

quote() {
    local word out=
    for word in "$@"; do
        case $word in
            *[!A-Za-z0-9_./:=,+-]* | '') out+=" '$word'" ;;
            *) out+=" $word" ;;
        esac
    done
    printf '%s' "${out# }"
}

# fixture FILE SHOWS [key=value …] begins a fixture; `run` notes a command for README.md and runs it in images/.
#   passphrase=…  opens it
#   more=…        another passphrase that opens it too, if any
#   error=CODE    the image itself must be refused, with this Qcow2ErrorCode
#   reference=CODE  the image is sound, but opening what it refers to must be refused
#   qemu=no       qemu-img cannot read its content either
files=() current=
fixture() {
    finish
    current=$1 shows=$2 passphrase= more= error= reference= qemu=yes luks=no companions=
    shift 2
    local pair
    for pair in "$@"; do declare -g "${pair%%=*}=${pair#*=}"; done
    commands=()
}
run() {
    commands+=("$(quote "$@")")
    (cd "$work/images" && "$@" >/dev/null)
}
run_luks() { # qemu now and then fails to time its key derivation: "Unable to get accurate CPU usage"
    commands+=("$(quote "$@")")
    local try
    for try in 1 2 3 4 5 6 7 8; do
        (cd "$work/images" && "$@" >/dev/null 2>"$work/luks.log") && return 0
    done
    cat "$work/luks.log" >&2
    return 1
}
run_killed() { # the command must die of a signal
    commands+=("$(quote "$@")")
    local status=0
    { (cd "$work/images" && "$@" >/dev/null 2>&1) || status=$?; } 2>/dev/null
    [ "$status" -gt 128 ] || { echo "$current: was not killed ($status)" >&2; exit 1; }
}
sums() { # LABEL SOURCE-ARGUMENTS…
    local label=$1
    shift
    (cd "$work/images" && qemu-img convert -O raw "$@" "$work/content")
    printf '%s  %s\n' "$(sha256sum <"$work/content" | cut -d' ' -f1)" "$label" >>"$expected.sha256"
    rm -f "$work/content"
}
finish() {
    [ -n "$current" ] || return 0
    local name=${current%.qcow2}
    name=${name//\//-}
    expected=$work/expected/$name
    local source=(-f qcow2 "$current") status=0 id
    if [ -n "$passphrase" ]; then
        source=(--object "secret,id=key,data=$passphrase" --image-opts "driver=qcow2,file.filename=$current,encrypt.key-secret=key")
    fi
    cd "$work/images"
    if [ -n "$error" ]; then
        if qemu-img info -f qcow2 "$current" >/dev/null 2>"$expected.error.txt"; then
            echo "$name: qemu-img opened it" >&2; exit 1
        fi
    else
        qemu-img info -f qcow2 --output=json "$current" >"$expected.info.json"
        if [ "$qemu" = yes ]; then
            qemu-img map --output=json "${source[@]}" >"$expected.map.json"
            qemu-img check --output=json "${source[@]}" >"$expected.check.json" 2>/dev/null || status=$?
            case $status in 0 | 2 | 3) ;; *) echo "$name: check ended with $status" >&2; exit 1 ;; esac
            if [ "$name" = sparse-1t ]; then
                local range
                for range in 0 549755809792 1099511562240; do
                    sums "range:$range+65536" --image-opts \
                        "driver=raw,offset=$range,size=65536,file.driver=qcow2,file.file.driver=file,file.file.filename=$current"
                done
            else
                sums disk "${source[@]}"
                [ -n "$passphrase" ] || for id in $(qemu-img snapshot -l "$current" | awk 'NR > 2 { print $1 }'); do
                    # convert -l would cut the snapshot to the size that the active disk has.
                    cp "$current" "$work/applied"
                    qemu-img snapshot -a "$id" "$work/applied"
                    sums "snapshot:$id" -f qcow2 "$work/applied"
                done
            fi
        fi
    fi
    cd "$here"
    printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$current" "$passphrase${more:+,$more}" "$error" "$reference" >>"$work/fixtures.tsv"
    local cell= command
    for command in "${commands[@]}"; do cell+="${cell:+<br>}\`${command//|/\\|}\`"; done
    printf '| `%s` | %s%s | %s |\n' "$current" "$shows" "${passphrase:+ Passphrase: \`$passphrase\`${more:+ (or: \`$more\`)}.}" "$cell" >>"$work/table"
    current=
}
bitmaps() { # writes expected/NAME.bitmap.BITMAP.json for each BITMAP: what is dirty, as qemu-nbd serves it
    local file=$1 name=${1%.qcow2} bitmap
    shift
    for bitmap in "$@"; do
        (cd "$work/images" && exec qemu-nbd -r -f qcow2 -k "$work/nbd" -B "$bitmap" "$file") &
        local server=$!
        for _ in $(seq 50); do [ -S "$work/nbd" ] && break; sleep 0.05; done
        # Through x-dirty-bitmap, map calls a dirty range one without data.
        qemu-img map --output=json --image-opts \
            "driver=nbd,server.type=unix,server.path=$work/nbd,x-dirty-bitmap=qemu:dirty-bitmap:$bitmap" |
            sed -E 's/"depth".*"data": (true|false).*\}/"dirty": \1}/; s/"dirty": true/"dirty": no/; s/"dirty": false/"dirty": true/; s/"dirty": no/"dirty": false/' \
                >"$work/expected/$name.bitmap.$bitmap.json"
        wait "$server" || true
        rm -f "$work/nbd"
    done
}

printf 'name\tfile\tpassphrases\terror\treference\n' >"$work/fixtures.tsv"

# ---- Versions, cluster sizes, refcount widths ----------------------------------------------------------------------
fixture v2.qcow2 'Version 2: a header of 72 bytes.'
run qemu-img convert -f raw -O qcow2 -o compat=0.10,cluster_size=4k ../data/disk.raw v2.qcow2
fixture v3.qcow2 'Version 3 with every default, among them clusters of 64 KiB.'
run qemu-img convert -f raw -O qcow2 ../data/disk.raw v3.qcow2
for size in 512 4k 64k; do
    fixture cluster-$size.qcow2 "Clusters of $size bytes."
    run qemu-img convert -f raw -O qcow2 -o cluster_size=$size ../data/disk.raw cluster-$size.qcow2
done
fixture cluster-2m.qcow2 'Clusters of 2 MiB, the largest.'
run qemu-img convert -f raw -O qcow2 -o cluster_size=2M ../data/big.raw cluster-2m.qcow2
for bits in 1 2 4 8 16 32 64; do
    fixture refcount-$bits.qcow2 "Refcounts of $bits bits."
    run qemu-img convert -f raw -O qcow2 -o cluster_size=4k,refcount_bits=$bits ../data/disk.raw refcount-$bits.qcow2
done
fixture refcount-64-cluster-512.qcow2 'Refcounts of 64 bits in clusters of 512 bytes: many refcount blocks.'
run qemu-img convert -f raw -O qcow2 -o cluster_size=512,refcount_bits=64 ../data/disk.raw refcount-64-cluster-512.qcow2
fixture refcount-1-cluster-512.qcow2 'Refcounts of 1 bit in clusters of 512 bytes.'
run qemu-img convert -f raw -O qcow2 -o cluster_size=512,refcount_bits=1 ../data/disk.raw refcount-1-cluster-512.qcow2

# ---- Sizes and allocation ------------------------------------------------------------------------------------------
fixture empty.qcow2 'Nothing was ever written.'
run qemu-img create -f qcow2 empty.qcow2 1M
fixture size-zero.qcow2 'A virtual size of 0.'
run qemu-img create -f qcow2 -o cluster_size=4k size-zero.qcow2 0
fixture odd-size.qcow2 'The virtual size (8 MiB and three sectors) is no multiple of a cluster.'
run qemu-img convert -f raw -O qcow2 -o cluster_size=16k ../data/big.raw odd-size.qcow2
fixture sparse-1t.qcow2 '1 TiB with three clusters written. Hashes are of ranges of 64 KiB.'
run qemu-img create -f qcow2 sparse-1t.qcow2 1T
run qemu-io -f qcow2 -c 'write -s ../data/a 0 4k' -c 'write -s ../data/b 549755809792 8k' \
    -c 'write -s ../data/c 1099511623680 4k' sparse-1t.qcow2
fixture preallocated-metadata.qcow2 'preallocation=metadata: every cluster is mapped, few are written.'
run qemu-img create -f qcow2 -o cluster_size=4k,preallocation=metadata preallocated-metadata.qcow2 256k
run qemu-io -f qcow2 -c 'write -s ../data/a 8k 4k' preallocated-metadata.qcow2
fixture preallocated-full.qcow2 'preallocation=full.'
run qemu-img create -f qcow2 -o cluster_size=4k,preallocation=full preallocated-full.qcow2 64k
run qemu-io -f qcow2 -c 'write -s ../data/a 4k 4k' preallocated-full.qcow2
fixture fragmented.qcow2 'Clusters lie in the file in another order than in the disk, with freed ones between.'
run qemu-img create -f qcow2 -o cluster_size=4k fragmented.qcow2 256k
run qemu-io -f qcow2 -c 'write -s ../data/a 60k 4k' -c 'write -s ../data/b 20k 8k' -c 'write -s ../data/c 0 4k' \
    -c 'discard 20k 4k' -c 'write -s ../data/d 200k 4k' -c 'write -s ../data/e 4k 8k' fragmented.qcow2

# ---- Zero clusters -------------------------------------------------------------------------------------------------
fixture zero-plain.qcow2 'Plain zero clusters (write -z -u): no host cluster behind them.'
run qemu-img create -f qcow2 -o cluster_size=4k zero-plain.qcow2 128k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 64k' -c 'write -z -u 16k 16k' -c 'write -z -u 96k 8k' zero-plain.qcow2
fixture zero-allocated.qcow2 'Allocated zero clusters (write -z over data): old data lies behind them.'
run qemu-img create -f qcow2 -o cluster_size=4k zero-allocated.qcow2 128k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 64k' -c 'write -z 16k 16k' -c 'write -z 41k 2k' zero-allocated.qcow2

# ---- Compression ---------------------------------------------------------------------------------------------------
for type in zlib:deflate zstd:zstd; do
    name=${type#*:}
    fixture "$name.qcow2" "Compressed with $name."
    run qemu-img convert -c -f raw -O qcow2 -o "compression_type=${type%:*}" ../data/disk.raw "$name.qcow2"
    for size in 512 4k; do
        fixture "$name-$size.qcow2" "Compressed with $name in clusters of $size bytes: streams share sectors and cross into the next host cluster."
        run qemu-img convert -c -f raw -O qcow2 -o "compression_type=${type%:*},cluster_size=$size" ../data/disk.raw "$name-$size.qcow2"
        [ "$name" = zstd ] && [ $size = 512 ] || patch assert-compressed "$work/images/$name-$size.qcow2"
    done
    fixture "$name-2m.qcow2" "Compressed with $name in clusters of 2 MiB; the last cluster is shorter than a cluster."
    run qemu-img convert -c -f raw -O qcow2 -o "compression_type=${type%:*},cluster_size=2M" ../data/big.raw "$name-2m.qcow2"
done
fixture compressed-mixed.qcow2 'Compressed clusters, some overwritten by plain ones, some zeroed, some discarded.'
run qemu-img convert -c -f raw -O qcow2 -o cluster_size=4k ../data/disk.raw compressed-mixed.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/e 5k 2k' -c 'write -z 16k 4k' -c 'write -z -u 24k 4k' -c 'discard 32k 4k' compressed-mixed.qcow2

# ---- Extended L2 entries -------------------------------------------------------------------------------------------
fixture extl2.qcow2 'Extended L2: whole clusters, single subclusters, a part of one, zero subclusters with and without data behind them.'
run qemu-img create -f qcow2 -o extended_l2=on extl2.qcow2 1M
run qemu-io -f qcow2 -c 'write -s ../data/a 0 64k' -c 'write -s ../data/b 66k 2k' -c 'write -s ../data/c 134k 4k' \
    -c 'write -z -u 194k 4k' -c 'write -s ../data/d 256k 64k' -c 'write -z 260k 8k' -c 'write -s ../data/e 328192 512' extl2.qcow2
fixture extl2-16k.qcow2 'Extended L2 with the smallest cluster: subclusters of 512 bytes.'
run qemu-img create -f qcow2 -o extended_l2=on,cluster_size=16k extl2-16k.qcow2 256k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 32k' -c 'write -s ../data/b 33280 512' -c 'write -s ../data/c 48640 1k' \
    -c 'write -z -u 50k 512' -c 'write -z 1k 1536' -c 'discard 16k 16k' extl2-16k.qcow2
for type in zlib:deflate zstd:zstd; do
    fixture "extl2-${type#*:}.qcow2" "Extended L2 with clusters compressed with ${type#*:}, one of them overwritten in part."
    run qemu-img convert -c -f raw -O qcow2 -o "extended_l2=on,cluster_size=16k,compression_type=${type%:*}" ../data/disk.raw "extl2-${type#*:}.qcow2"
    run qemu-io -f qcow2 -c 'write -s ../data/e 33k 2k' -c 'write -z -u 50k 1k' "extl2-${type#*:}.qcow2"
done

# ---- Backing files -------------------------------------------------------------------------------------------------
fixture backing-base.qcow2 'The base of other fixtures.'
run qemu-img convert -f raw -O qcow2 -o cluster_size=4k ../data/disk.raw backing-base.qcow2
run cp ../data/disk.raw backing-base.raw
fixture backing-qcow2.qcow2 'An overlay over a QCOW2 image; its clusters are larger than the base has.'
run qemu-img create -f qcow2 -o cluster_size=16k -b backing-base.qcow2 -F qcow2 backing-qcow2.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/e 17k 2k' -c 'write -s ../data/e 300k 3k' backing-qcow2.qcow2
fixture backing-raw.qcow2 'An overlay over a raw image, `backing-base.raw`.'
run qemu-img create -f qcow2 -o cluster_size=4k -b backing-base.raw -F raw backing-raw.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/e 17k 2k' backing-raw.qcow2
fixture backing-v2.qcow2 'A version 2 overlay: header extensions begin at byte 72, zeros over data are written out.'
run qemu-img create -f qcow2 -o compat=0.10,cluster_size=4k -b backing-base.qcow2 -F qcow2 backing-v2.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/e 17k 2k' -c 'write -z 4k 4k' backing-v2.qcow2
fixture chain-base.qcow2 'The lowest of a chain of three.'
run qemu-img create -f qcow2 -o cluster_size=4k chain-base.qcow2 256k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 128k' chain-base.qcow2
fixture chain-middle.qcow2 'The middle of a chain of three.'
run qemu-img create -f qcow2 -o cluster_size=64k -b chain-base.qcow2 -F qcow2 chain-middle.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/b 40k 8k' chain-middle.qcow2
fixture chain-top.qcow2 'The top of a chain of three, each with another cluster size.'
run qemu-img create -f qcow2 -o cluster_size=512 -b chain-middle.qcow2 -F qcow2 chain-top.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/c 2560 512' -c 'write -s ../data/c 44k 1k' -c 'write -z -u 100k 4k' chain-top.qcow2
fixture backing-shorter-base.qcow2 'A base of 66,048 bytes, no multiple of a cluster.'
run qemu-img create -f qcow2 -o cluster_size=4k backing-shorter-base.qcow2 66048
run qemu-io -f qcow2 -c 'write -s ../data/a 0 66048' backing-shorter-base.qcow2
fixture backing-shorter.qcow2 'The base is shorter than the overlay: zeros follow its end.'
run qemu-img create -f qcow2 -o cluster_size=16k -b backing-shorter-base.qcow2 -F qcow2 backing-shorter.qcow2 256k
run qemu-io -f qcow2 -c 'write -s ../data/b 200k 4k' backing-shorter.qcow2
fixture backing-longer.qcow2 'The base is longer than the overlay.'
run qemu-img create -f qcow2 -o cluster_size=16k -b backing-base.qcow2 -F qcow2 backing-longer.qcow2 66048
fixture zero-over-backing.qcow2 'Both kinds of zero cluster hide the backing file.'
run qemu-img create -f qcow2 -o cluster_size=4k -b backing-base.qcow2 -F qcow2 zero-over-backing.qcow2
run qemu-io -f qcow2 -c 'write -z -u 4k 8k' -c 'write -s ../data/b 24k 8k' -c 'write -z 28k 4k' -c 'discard 40k 4k' zero-over-backing.qcow2
fixture extl2-backing.qcow2 'Extended L2 over a backing file: written, zeroed and absent subclusters in one cluster.'
run qemu-img create -f qcow2 -o extended_l2=on,cluster_size=16k -b backing-base.qcow2 -F qcow2 extl2-backing.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/c 1k 512' -c 'write -z -u 2k 1k' -c 'write -s ../data/d 16k 16k' -c 'write -z 20k 1k' \
    -c 'write -z -u 36k 512' -c 'write -s ../data/e 49408 100' extl2-backing.qcow2
fixture sub/base.qcow2 'A base in a folder of its own.'
run qemu-img create -f qcow2 -o cluster_size=4k sub/base.qcow2 128k
run qemu-io -f qcow2 -c 'write -s ../data/c 0 32k' sub/base.qcow2
fixture backing-subfolder.qcow2 'The backing file lies in a folder: `sub/base.qcow2`.'
run qemu-img create -f qcow2 -o cluster_size=4k -b sub/base.qcow2 -F qcow2 backing-subfolder.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/e 8k 4k' backing-subfolder.qcow2
fixture sub/overlay.qcow2 'The backing file lies a folder up: `../chain-base.qcow2`, relative to the overlay.'
run qemu-img create -f qcow2 -o cluster_size=4k -b ../chain-base.qcow2 -F qcow2 sub/overlay.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/e 8k 4k' sub/overlay.qcow2
fixture backing-no-format.qcow2 'The header names a backing file but no format; the base is QCOW2. qemu-img probes; its hash is of that.' \
    reference=BackingFormatMissing
run qemu-img create -f qcow2 -o cluster_size=4k -b chain-base.qcow2 -F qcow2 backing-no-format.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/e 8k 4k' backing-no-format.qcow2
run "$here/patch.py" drop-extension backing-no-format.qcow2 0xe2792aca
fixture backing-raw-no-format.qcow2 'The header names a backing file but no format; the base is raw.' reference=BackingFormatMissing
run qemu-img create -f qcow2 -o cluster_size=4k -b backing-base.raw -F raw backing-raw-no-format.qcow2
run "$here/patch.py" drop-extension backing-raw-no-format.qcow2 0xe2792aca
fixture backing-missing.qcow2 'The backing file does not exist.' reference=BackingFileUnavailable qemu=no
run qemu-img create -f qcow2 -o cluster_size=4k -u -b no-such-file.qcow2 -F qcow2 backing-missing.qcow2 128k
fixture backing-loop.qcow2 'Its backing file is `backing-loop-other.qcow2`, whose backing file is this one.' reference=BackingChainLoop qemu=no
run qemu-img create -f qcow2 -o cluster_size=4k -u -b backing-loop-other.qcow2 -F qcow2 backing-loop.qcow2 128k
fixture backing-loop-other.qcow2 'The other half of the loop.' reference=BackingChainLoop qemu=no
run qemu-img create -f qcow2 -o cluster_size=4k -u -b backing-loop.qcow2 -F qcow2 backing-loop-other.qcow2 128k
fixture backing-json.qcow2 'The backing file is a `json:` name: text, never opened.' reference=ReferenceForbidden qemu=no
run qemu-img create -f qcow2 -o cluster_size=4k backing-json.qcow2 128k
run qemu-img rebase -u -f qcow2 -b 'json:{"driver":"qcow2","file":{"driver":"file","filename":"chain-base.qcow2"}}' -F qcow2 backing-json.qcow2
fixture backing-nbd.qcow2 'The backing file is an `nbd:` name: text, never opened.' reference=ReferenceForbidden qemu=no
run qemu-img create -f qcow2 -o cluster_size=4k backing-nbd.qcow2 128k
run qemu-img rebase -u -f qcow2 -b nbd://192.0.2.1:10809/disk -F raw backing-nbd.qcow2

# ---- External data files -------------------------------------------------------------------------------------------
fixture data-file.qcow2 'An external data file, `data-file.raw`; zeroed and discarded clusters too.'
run qemu-img create -f qcow2 -o cluster_size=4k,data_file=data-file.raw data-file.qcow2 128k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 32k' -c 'write -s ../data/b 60k 4k' -c 'write -z 8k 4k' -c 'write -z -u 16k 4k' data-file.qcow2
fixture data-file-raw.qcow2 'An external data file that is a raw image by itself, `data-file-raw.raw`.'
run qemu-img create -f qcow2 -o cluster_size=4k,data_file=data-file-raw.raw,data_file_raw=on data-file-raw.qcow2 128k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 32k' -c 'write -s ../data/b 60k 4k' -c 'write -z 8k 4k' data-file-raw.qcow2
fixture data-file-extl2.qcow2 'Extended L2 with an external data file, `data-file-extl2.raw`.'
run qemu-img create -f qcow2 -o cluster_size=16k,extended_l2=on,data_file=data-file-extl2.raw data-file-extl2.qcow2 128k
run qemu-io -f qcow2 -c 'write -s ../data/a 512 1k' -c 'write -s ../data/b 60k 4k' -c 'write -z 61k 512' data-file-extl2.qcow2
fixture data-file-backing.qcow2 'An external data file, `data-file-backing.raw`, and a backing file.'
run qemu-img create -f qcow2 -o cluster_size=4k,data_file=data-file-backing.raw -b chain-base.qcow2 -F qcow2 data-file-backing.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/e 5k 2k' -c 'write -z -u 16k 4k' data-file-backing.qcow2
fixture data-file-missing.qcow2 'The external data file does not exist.' reference=DataFileUnavailable qemu=refuses
run qemu-img create -f qcow2 -o cluster_size=4k,data_file=data-file-missing.raw data-file-missing.qcow2 128k
run rm data-file-missing.raw

# ---- Encryption ----------------------------------------------------------------------------------------------------
luks() { # FILE PASSPHRASE OPTIONS
    run_luks qemu-img create -f qcow2 --object "secret,id=key,data=$2" \
        -o "cluster_size=4k,encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10${3:+,encrypt.${3//,/,encrypt.}}" "$1" 256k
    fill "$1" "$2"
}
fill() { # FILE PASSPHRASE
    run qemu-io --object "secret,id=key,data=$2" --image-opts \
        -c 'write -s ../data/a 0 16k' -c 'write -s ../data/b 130k 3k' -c 'write -z -u 8k 4k' -c 'write -s ../data/c 255k 1k' \
        "driver=qcow2,file.filename=$1,encrypt.key-secret=key"
}
fixture luks.qcow2 'LUKS with the defaults: AES-256, XTS, plain64, SHA-256.' passphrase=correct-horse
luks luks.qcow2 correct-horse ''
fixture luks-slots.qcow2 'LUKS with three key slots.' passphrase=first more=second,third
luks luks-slots.qcow2 first cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=plain64
run_luks qemu-img amend --object secret,id=key,data=first --object secret,id=new,data=second --image-opts \
    -o encrypt.state=active,encrypt.new-secret=new,encrypt.iter-time=10 driver=qcow2,file.filename=luks-slots.qcow2,encrypt.key-secret=key
run_luks qemu-img amend --object secret,id=key,data=first --object secret,id=new,data=third --image-opts \
    -o encrypt.state=active,encrypt.new-secret=new,encrypt.iter-time=10,encrypt.keyslot=5 driver=qcow2,file.filename=luks-slots.qcow2,encrypt.key-secret=key
for hash in sha1 sha256 sha512; do
    fixture luks-cbc-essiv-$hash.qcow2 "LUKS with AES-128, CBC, ESSIV with SHA-256, and $hash for the key." passphrase=essiv
    luks luks-cbc-essiv-$hash.qcow2 essiv cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256,hash-alg=$hash
done
fixture luks-xts-128.qcow2 'LUKS with AES-128, XTS, plain64, SHA-512.' passphrase=xts
luks luks-xts-128.qcow2 xts cipher-alg=aes-128,cipher-mode=xts,ivgen-alg=plain64,hash-alg=sha512
fixture luks-backing.qcow2 'An encrypted overlay over a plain image.' passphrase=overlay
run_luks qemu-img create -f qcow2 --object secret,id=key,data=overlay -b chain-base.qcow2 -F qcow2 \
    -o cluster_size=4k,encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10,encrypt.cipher-alg=aes-128,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=plain64 luks-backing.qcow2
run qemu-io --object secret,id=key,data=overlay --image-opts -c 'write -s ../data/e 9k 2k' -c 'write -z -u 16k 4k' \
    driver=qcow2,file.filename=luks-backing.qcow2,encrypt.key-secret=key
fixture aes.qcow2 'Legacy AES encryption (method 1).' passphrase=legacy
run_luks qemu-img create -f qcow2 --object secret,id=key,data=legacy -o cluster_size=4k,encrypt.format=aes,encrypt.key-secret=key aes.qcow2 256k
fill aes.qcow2 legacy
fixture aes-v2.qcow2 'Legacy AES encryption in a version 2 image; the passphrase is longer than the 16 bytes that count.' passphrase=a-passphrase-longer-than-16-bytes
run_luks qemu-img create -f qcow2 --object secret,id=key,data=a-passphrase-longer-than-16-bytes \
    -o compat=0.10,cluster_size=4k,encrypt.format=aes,encrypt.key-secret=key aes-v2.qcow2 256k
run qemu-io --object secret,id=key,data=a-passphrase-longer-than-16-bytes --image-opts -c 'write -s ../data/a 2k 8k' \
    driver=qcow2,file.filename=aes-v2.qcow2,encrypt.key-secret=key

# ---- Snapshots -----------------------------------------------------------------------------------------------------
fixture snapshots.qcow2 'Snapshots with other data and other disk sizes than the active layer; two share a name, one name is not ASCII.'
run qemu-img create -f qcow2 -o cluster_size=4k snapshots.qcow2 256k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 64k' snapshots.qcow2
run qemu-img snapshot -c first snapshots.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/b 6k 4k' -c 'write -z -u 32k 8k' snapshots.qcow2
run qemu-img snapshot -c twin snapshots.qcow2
run qemu-img resize -f qcow2 snapshots.qcow2 400k
run qemu-io -f qcow2 -c 'write -s ../data/c 390k 10k' snapshots.qcow2
run qemu-img snapshot -c twin snapshots.qcow2
run qemu-img resize -f qcow2 --shrink snapshots.qcow2 128k
run qemu-img snapshot -c 'vor dem Größenwechsel' snapshots.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/d 100k 4k' snapshots.qcow2
run "$here/patch.py" snapshot-dates snapshots.qcow2
fixture snapshots-v2.qcow2 'Snapshots in a version 2 image.'
run qemu-img create -f qcow2 -o compat=0.10,cluster_size=4k snapshots-v2.qcow2 128k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 32k' snapshots-v2.qcow2
run qemu-img snapshot -c first snapshots-v2.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/b 6k 4k' snapshots-v2.qcow2
run qemu-img snapshot -c second snapshots-v2.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/c 80k 4k' snapshots-v2.qcow2
run "$here/patch.py" snapshot-dates snapshots-v2.qcow2
fixture snapshots-v2-no-extra.qcow2 'Snapshot entries without extra data, as old programs wrote them: the disk size is the image'\''s.'
run cp snapshots-v2.qcow2 snapshots-v2-no-extra.qcow2
run "$here/patch.py" snapshot-extra snapshots-v2-no-extra.qcow2 0
fixture snapshots-extra-16.qcow2 'Snapshot entries with 16 bytes of extra data: no icount.'
run cp snapshots.qcow2 snapshots-extra-16.qcow2
run "$here/patch.py" snapshot-extra snapshots-extra-16.qcow2 16
fixture snapshots-compressed.qcow2 'A snapshot and the active layer share compressed clusters.'
run qemu-img convert -c -f raw -O qcow2 -o cluster_size=4k ../data/disk.raw snapshots-compressed.qcow2
run qemu-img snapshot -c packed snapshots-compressed.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/e 5k 2k' snapshots-compressed.qcow2
run "$here/patch.py" snapshot-dates snapshots-compressed.qcow2
fixture snapshots-extl2.qcow2 'Snapshots with extended L2 entries.'
run qemu-img create -f qcow2 -o cluster_size=16k,extended_l2=on snapshots-extl2.qcow2 128k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 20k' snapshots-extl2.qcow2
run qemu-img snapshot -c first snapshots-extl2.qcow2
run qemu-io -f qcow2 -c 'write -s ../data/b 1k 1k' -c 'write -z -u 18k 1k' snapshots-extl2.qcow2
run "$here/patch.py" snapshot-dates snapshots-extl2.qcow2
fixture snapshots-vmstate.qcow2 'Snapshots with VM state, saved by a virtual machine without devices, and one without.'
if command -v qemu-system-x86_64 >/dev/null; then
    run qemu-img create -f qcow2 -o cluster_size=4k snapshots-vmstate.qcow2 128k
    run qemu-io -f qcow2 -c 'write -s ../data/a 0 32k' snapshots-vmstate.qcow2
    run bash -c 'printf "savevm small\nquit\n" | qemu-system-x86_64 -M none -nodefaults -S -display none -monitor stdio -drive file=snapshots-vmstate.qcow2,if=none,format=qcow2'
    run qemu-io -f qcow2 -c 'write -s ../data/b 6k 4k' snapshots-vmstate.qcow2
    run bash -c 'printf "savevm larger\nquit\n" | qemu-system-x86_64 -M none -m 4M -nodefaults -S -display none -monitor stdio -drive file=snapshots-vmstate.qcow2,if=none,format=qcow2'
    run qemu-img snapshot -c 'disk only' snapshots-vmstate.qcow2
    run qemu-io -f qcow2 -c 'write -s ../data/c 80k 4k' snapshots-vmstate.qcow2
    run "$here/patch.py" snapshot-dates snapshots-vmstate.qcow2
else
    echo 'no qemu-system-x86_64: snapshots-vmstate.qcow2 stays as it is' >&2
    [ -f images/snapshots-vmstate.qcow2 ] && cp images/snapshots-vmstate.qcow2 "$work/images/"
    mapfile -t commands < <(grep '^| `snapshots-vmstate.qcow2`' README.md | grep -o '`[^`]*`' | tr -d '`' | tail -n +2)
fi

# ---- Bitmaps -------------------------------------------------------------------------------------------------------
fixture bitmaps.qcow2 'Bitmaps: enabled and disabled, granularities of 512 bytes, 4 KiB and 64 KiB, dirty and clean. `expected/bitmaps.bitmap.*.json` says what is dirty.'
run qemu-img create -f qcow2 -o cluster_size=4k bitmaps.qcow2 1M
run qemu-img bitmap --add -g 512 -f qcow2 bitmaps.qcow2 fine
run qemu-img bitmap --add -g 4k -f qcow2 bitmaps.qcow2 middle
run qemu-io -f qcow2 -c 'write -s ../data/a 0 4k' -c 'write -s ../data/b 20k 2k' bitmaps.qcow2
run qemu-img bitmap --disable -f qcow2 bitmaps.qcow2 middle
run qemu-img bitmap --add -g 64k -f qcow2 bitmaps.qcow2 coarse
run qemu-img bitmap --add --disable -g 64k -f qcow2 bitmaps.qcow2 clean
run qemu-io -f qcow2 -c 'write -s ../data/c 140k 512' -c 'write -s ../data/d 1000k 24k' bitmaps.qcow2
bitmaps bitmaps.qcow2 fine middle coarse clean
fixture bitmaps-all-ones.qcow2 'A bitmap whose table says all ones without a cluster.'
run qemu-img create -f qcow2 -o cluster_size=4k bitmaps-all-ones.qcow2 256k
run qemu-img bitmap --add --disable -g 512 -f qcow2 bitmaps-all-ones.qcow2 everything
run "$here/patch.py" bitmap-all-ones bitmaps-all-ones.qcow2 everything
bitmaps bitmaps-all-ones.qcow2 everything
fixture bitmaps-in-use.qcow2 'A bitmap that a killed program left in use.'
run qemu-img create -f qcow2 -o cluster_size=4k bitmaps-in-use.qcow2 256k
run qemu-img bitmap --add -g 4k -f qcow2 bitmaps-in-use.qcow2 broken
run_killed qemu-io -f qcow2 -c 'write -s ../data/a 0 4k' -c flush -c 'sigraise 9' bitmaps-in-use.qcow2
fixture bitmaps-stale.qcow2 'The bitmaps extension is there but its autoclear bit is not: a program that knows no bitmaps wrote to the image.'
run cp bitmaps.qcow2 bitmaps-stale.qcow2
run "$here/patch.py" clear-u64 bitmaps-stale.qcow2 88 1

# ---- Headers -------------------------------------------------------------------------------------------------------
plain() { run qemu-img convert -f raw -O qcow2 -o cluster_size=4k ../data/disk.raw "$1"; }
fixture extension-unknown.qcow2 'An unknown header extension: to be ignored and kept.'
plain extension-unknown.qcow2
run "$here/patch.py" add-extension extension-unknown.qcow2 0x12345678 'something from the future'
fixture header-104.qcow2 'A header of 104 bytes, as QEMU wrote before there was a compression type.'
plain header-104.qcow2
run "$here/patch.py" header-length header-104.qcow2 104 0
fixture header-120.qcow2 'A header of 120 bytes, with a field that nobody knows yet.'
plain header-120.qcow2
run "$here/patch.py" header-length header-120.qcow2 120 0x5a
fixture bit-compatible-unknown.qcow2 'An unknown compatible bit (9): to be ignored.'
plain bit-compatible-unknown.qcow2
run "$here/patch.py" or-u64 bit-compatible-unknown.qcow2 80 0x200
fixture bit-autoclear-unknown.qcow2 'An unknown autoclear bit (9): to be cleared at the first write.'
plain bit-autoclear-unknown.qcow2
run "$here/patch.py" or-u64 bit-autoclear-unknown.qcow2 88 0x200
fixture bit-incompatible-named.qcow2 'An unknown incompatible bit (17) that the feature name table names.' error=UnsupportedFeature
plain bit-incompatible-named.qcow2
run "$here/patch.py" or-u64 bit-incompatible-named.qcow2 72 0x20000
run "$here/patch.py" add-feature-name bit-incompatible-named.qcow2 0 17 'quantum clusters'
fixture bit-incompatible-unnamed.qcow2 'An unknown incompatible bit (18) without a name.' error=UnsupportedFeature
plain bit-incompatible-unnamed.qcow2
run "$here/patch.py" or-u64 bit-incompatible-unnamed.qcow2 72 0x40000
fixture lazy-refcounts.qcow2 'Lazy refcounts, closed well.'
run qemu-img create -f qcow2 -o cluster_size=4k,lazy_refcounts=on lazy-refcounts.qcow2 256k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 16k' lazy-refcounts.qcow2
fixture bit-dirty.qcow2 'The dirty bit: a killed program left refcounts behind the tables.'
run qemu-img create -f qcow2 -o cluster_size=4k,lazy_refcounts=on bit-dirty.qcow2 256k
run_killed qemu-io -f qcow2 -c 'write -s ../data/a 0 16k' -c flush -c 'sigraise 9' bit-dirty.qcow2
fixture bit-corrupt.qcow2 'The corrupt bit: may be read, not written.'
plain bit-corrupt.qcow2
run "$here/patch.py" or-u64 bit-corrupt.qcow2 72 2
fixture leaks.qcow2 'A cluster is counted that nothing refers to.'
run qemu-img create -f qcow2 -o cluster_size=4k leaks.qcow2 128k
run qemu-io -f qcow2 -c 'write -s ../data/a 0 16k' leaks.qcow2
run "$here/patch.py" clear-u64 leaks.qcow2 0x4008 0xffffffffffffffff
finish

# ---- Into place ----------------------------------------------------------------------------------------------------
rm -rf images expected
mkdir -p images/sub
mv "$work/expected" expected
cd "$work/images"
find . -type f -printf '%P\n' | sort | while read -r file; do
    if [ "$(stat -c %s "$file")" -gt 65536 ]; then gzip -9nc "$file" >"$here/images/$file.gz"; else cp "$file" "$here/images/$file"; fi
done
cd "$here"
mv "$work/fixtures.tsv" fixtures.tsv
{
    cat <<'TEXT'
# Fixtures

Small QCOW2 images made by qemu-img, with what qemu-img says of each. `make-fixtures.sh` makes all of it, this table too: change
the script, not the files. Files longer than 64 KiB are stored as `.gz`; the tests unpack them, sparsely, to a temporary folder.

- `images/`: the images and the raw files some of them refer to, by relative names.
- `expected/NAME.info.json`, `NAME.map.json`, `NAME.check.json`: `qemu-img info`, `map` and `check` with `--output=json`, run inside `images/`.
  `actual-size` depends on the file system it was made on.
- `expected/NAME.sha256`: SHA-256 of the content as `qemu-img convert -O raw` gives it: of the `disk`, of each `snapshot:ID` once it is
  applied (`convert -l` cuts a snapshot to the size of the active disk), or of a `range:OFFSET+LENGTH`.
- `expected/NAME.bitmap.BITMAP.json`: what is dirty in a bitmap, as `qemu-nbd` serves it.
- `expected/NAME.error.txt`: why qemu-img refuses the image.
- `fixtures.tsv`: name, file, passphrases (with commas between), `error` (the `Qcow2ErrorCode` with which the image must be refused) and `reference` (the code with
  which opening the files it refers to must be refused; the image alone is sound).
- `volumes/`: sectors of file systems and partition tables, with what blkid and sfdisk say of them; `volumes/make-volumes.py` makes them, and says how.

qemu takes the name of a data file from the current folder, not from the image's; the data file fixtures lie beside their image, so that both
readings agree inside `images/`.

Every sector of `../data/a` to `e` names its file and its index; `noise` does not compress, `rough` does by half; `disk.raw` (1 MiB) and `big.raw` (8 MiB and
1,536 bytes) mix them with holes. Guest content is the same in every run; LUKS keys and VM state are not.

| fixture | what it shows | made with |
|---|---|---|
TEXT
    sed "s|$here/patch.py|../../patch.py|g" "$work/table"
} >README.md
du -sh --apparent-size images expected
