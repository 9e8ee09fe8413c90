#!/bin/sh
# run.sh: checks the models with Spin, one line for each run; exit 1 when one does not end as it must.
#
#   run.sh quick | all [WORD]     the runs that take seconds, or all of them; only those whose line has WORD
#   run.sh trace gate.pml "-DM=2 -DIGNORE_EPOCH"     the shortest counterexample, a line for each step
#
# "holds" looks at every state there is; "fails" finds the shortest way to what must not be (breadth
# first), or with liveness a round that goes on for ever, under weak fairness.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
mkdir "$work/pan"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

runs()
{
    cat <<'RUNS'
quick holds gate.pml     safety   -DM=2
quick holds gate.pml     safety   -DM=2 -DNO_READ_AHEAD
slow  holds gate.pml     safety   -DM=3 -DFAULTS=2
slow  holds gate.pml     liveness -DM=2 -DFAULTS=2
quick holds gate.pml     liveness -DM=1 -DFAULTS=2
quick fails gate.pml     liveness -DM=1 -DFAULTS=2 -DNEVER_LEAVE
quick fails gate.pml     safety   -DM=2 -DFLUSH_BEFORE_COMMIT
quick fails gate.pml     safety   -DM=2 -DIGNORE_EPOCH
quick fails gate.pml     safety   -DM=2 -DREAD_WHILE_COMMITTING
quick fails gate.pml     safety   -DM=2 -DDISCONNECT_WITH_HELD_ACKS
quick fails gate.pml     safety   -DM=2 -DASSUME_COMMITTED_ON_UNKNOWN
quick fails gate.pml     safety   -DM=2 -DTAG_WHILE_CONNECTING
quick fails gate.pml     safety   -DM=2 -DNO_KEY
slow  holds gate.pml     safety   -DM=2 -DNO_READ_AHEAD -DIGNORE_EPOCH
slow  holds gate.pml     safety   -DM=2 -DNO_READ_AHEAD -DTAG_WHILE_CONNECTING
slow  fails gate.pml     safety   -DM=2 -DFAULTS=3 -DTAKEOVER -DDETECT=1
slow  fails gate.pml     safety   -DM=2 -DFAULTS=3 -DTAKEOVER -DDETECT=2
slow  fails gate.pml     safety   -DM=2 -DFAULTS=3 -DTAKEOVER -DDETECT=3
quick fails gate.pml     safety   -DM=2 -DFAULTS=3 -DTAKEOVER -DDETECT=4
slow  holds gate.pml     safety   -DM=2 -DFAULTS=2 -DTAKEOVER -DDETECT=5
slow  holds coverage.pml safety   -DN=2 -DK=3 -DSTARTS=3 -DBREAKS=1
quick holds coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=1
slow  holds coverage.pml safety   -DN=2 -DK=2 -DSTARTS=4 -DBREAKS=0 -DGHOST
slow  holds coverage.pml safety   -DN=3 -DK=2 -DSTARTS=3 -DBREAKS=0
slow  holds coverage.pml liveness -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=1
slow  holds coverage.pml liveness -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DGHOST
quick holds coverage.pml liveness -DN=2 -DK=1 -DSTARTS=3 -DBREAKS=0
quick fails coverage.pml liveness -DN=2 -DK=2 -DSTARTS=2 -DBREAKS=0 -DNO_RELOAD
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DCOVERAGE_FROM_BROKER_MEMORY
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DPOLL_NOT_COMPARED_WITH_ASOF
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DBY_CLOCK
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DCOUNTER_NOT_IN_TRANSACTION
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DSNAPSHOT_BEFORE_LOCK
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DNEWEST_AS_OF
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DNO_COMMON_MOMENT
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DAS_OF_RUNS_ON
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DLOADED_FROM_TABLE
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DGHOST -DTURN_NOT_COMPARED
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DGHOST -DKEEPS_WINDOWS
quick holds coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DFENCED
slow  holds coverage.pml safety   -DN=2 -DK=3 -DSTARTS=3 -DBREAKS=1 -DFENCED
slow  holds coverage.pml liveness -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DFENCED
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DFENCED -DFENCED_WITHOUT_LOAD
quick fails coverage.pml safety   -DN=2 -DK=2 -DSTARTS=3 -DBREAKS=0 -DFENCED -DOLD_LOAD_COUNTS
quick holds fence.pml    safety   -DK=3 -DMOVES=2 -DKILLS=1
slow  holds fence.pml    safety   -DK=3 -DMOVES=3 -DKILLS=2 -DUNHEARD=2
quick holds fence.pml    liveness -DK=2 -DMOVES=2 -DKILLS=1
quick fails fence.pml    liveness -DK=2 -DMOVES=2 -DKILLS=0 -DTRIES_ON
quick fails fence.pml    safety   -DNO_FENCE
quick fails fence.pml    safety   -DFENCE_BY_GROUP
quick fails fence.pml    safety   -DLOOKS_FIRST
quick fails fence.pml    safety   -DPOSITION_BESIDE
quick fails fence.pml    safety   -DFENCED_WITHOUT_LOAD
quick fails fence.pml    safety   -DLOADS_BEFORE_IT_ASKS
quick fails fence.pml    safety   -DSEEKS_WITH_A_BATCH_IN_HAND
RUNS
}

build() # model, its settings, the verifier's settings
{
    (cd "$work/pan" && spin -a $2 "$here/$1" > spin.log 2>&1 &&
        gcc $3 -w -DVECTORSZ=2048 -DCOLLAPSE -DMEMLIM=2000 -o pan pan.c) || { cat "$work/pan/spin.log" >&2; exit 1; }
}

number_after() # text before a number in the verifier's output
{
    sed -n "s/.*$1\\([0-9.e+-]*\\).*/\\1/p" "$work/pan/out" | head -1
}

check() # quick|slow, holds|fails, model, safety|liveness, settings
{
    must=$2 model=$3 kind=$4
    shift 4
    settings=$*
    how=
    case $kind-$must in
        liveness-*) build "$model" "$settings -DLIVENESS" "-O2 -DNFAIR=4"; how='-a -f' ;;
        *-fails) build "$model" "$settings" "-O1 -DSAFETY -DBFS" ;;
        *) build "$model" "$settings" "-O2 -DSAFETY" ;;
    esac
    (cd "$work/pan" && timeout 600 ./pan -m2000000 $how > out 2>&1) || :
    errors=$(number_after 'errors: ')
    depth=$(number_after 'at depth ')
    got=holds
    case $errors in
        '') got='no result' ;;
        0) ! grep -q 'reached -DMEMLIM\|out of memory\|Search not completed' "$work/pan/out" || got='not completed' ;;
        *) got=fails ;;
    esac
    mark=
    [ "$got" = "$must" ] || { mark="    MUST BE: $must"; failed=1; }
    printf '  MODEL  %-5s %9s states %6s s  %-9s %-12s %-8s %s%s\n' "$got" \
        "$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$work/pan/out")" "$(number_after 'elapsed time ')" \
        "${depth:+depth $depth}" "$model" "$kind" "$settings" "$mark"
    rm -f "$work/pan"/*
}

case ${1-} in
    quick | all)
        failed=0
        runs > "$work/runs"
        while read -r line; do
            case $1-$line in quick-slow*) continue ;; esac
            case $line in *"${2-}"*) check $line < /dev/null ;; esac
        done < "$work/runs"
        exit $failed
        ;;
    trace)
        build "$2" "$3" "-O1 -DSAFETY -DBFS"
        cd "$work/pan"
        cp "$here/$2" .
        ./pan > /dev/null 2>&1 || :
        spin -t -p $3 "$2" 2> /dev/null |
            awk '/proc / && !/else\]|:init:/ && $1 != last { last = $1; sub(/\(state [0-9]*\)/, ""); print substr($0, 1, 110) }'
        ;;
    *)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
