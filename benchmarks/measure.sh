# What the scripts share that run programs and time them; sourced by them. They set $results, the file that gets a line for each run, and $scratch, a folder
# for what a run leaves: what PROGRAM printed last is in PROGRAM.text there.

# run ROW PROGRAM COMMAND...: one run; its time, CPU time (its children's too) and peak memory become a line of the results.
run() {
    local row=$1 program=$2 begin end user system peak
    shift 2
    begin=$EPOCHREALTIME
    /usr/bin/time --quiet --output="$scratch/usage" --format='%U %S %M' "$@" > "$scratch/$program.text"
    end=$EPOCHREALTIME
    read -r user system peak < "$scratch/usage"
    LC_ALL=C awk -v row="$row" -v program="$program" -v begin="$begin" -v end="$end" -v user="$user" -v sys="$system" -v peak="$peak" \
        'BEGIN { printf "%s\t%s\t%.4f\t%.2f\t%d\n", row, program, end - begin, user + sys, peak }' | tee -a "$results" >&2
}

# settle FILE...: takes memory for a large file, and frees it. A virtual machine gives memory that was freed a while ago back to its host, and to get it
# again can cost more than the copying; after this, every program finds memory that was freed just now.
settle() {
    rm -f "$@"
    head -c 2500M /dev/zero > "$scratch/memory"
    rm "$scratch/memory"
}
