/* coverage.pml: when may httpapi answer from boards? (docs/DECISIONS.md, "Whose readings are on the boards")
 *
 * N collectors with different ids store readings in one database; each keeps windows in memory and
 * publishes them ("boards"; one message stands for status and boards), retained, at a broker. httpapi
 * may hear it or not (another broker). The broker may forget, httpapi may restart, collectors are
 * killed with a COMMIT under way, stop, start again, or go on as a ghost: the database session and so
 * the lock is lost, unnoticed, while statuses still go out as "live".
 *
 * Time     `commits` counts the readings that are committed, and is the clock: "as of T" covers the
 *          commits 1..T. Reading r is bit r-1 of a set. No two clocks are ever compared.
 * Log      which collector may store which reading is nowhere asked: a partition that moves from one to another
 *          changes nothing here. What a log adds (-DFENCED) is a batch that was committed, and of which its
 *          collector never hears: the next try is fenced (fence.pml). Then it shows no boards until it has
 *          loaded, from then on.
 * Says     a board answer as of T holds the readings that were committed until T, and no others
 *          (assert in weigh)
 *          while some heard collector is live and no unheard one is, boards finally answer
 *          again (ltl again)
 *
 * The rule that holds
 *   table     collectors(id, turn, batches): `turn` + 1 when the lock is got; `batches` + 1 in each
 *             batch's own transaction.
 *   collector takes its snapshot after the lock, and from the same snapshot every row's `batches`
 *             ("loaded"). Its status carries turn, loaded, and the span of moments [since, as-of] at
 *             which its boards were what they are. As-of is before whatever is in flight. It loads
 *             again when a row whose lock is free has more batches than it loaded, and when it gets
 *             its lock again and the turn is not the one it had.
 *   httpapi   polls the table. The boards that were received before the poll was sent are weighed
 *             against its result, and only those are answered from, as of a moment that lies in the
 *             spans of all of them. A collector is merged when the turn in its status is the table's.
 *             Every other row must not be heard, and needs a merged collector whose loaded count is
 *             at least the row's.
 *
 * Settings -DN=2 -DK=3 (readings) -DSTARTS=3 (of collectors, in all) -DBREAKS=1 -DGHOST
 * Mutations, each must fail:
 *   -DCOVERAGE_FROM_BROKER_MEMORY  -DPOLL_NOT_COMPARED_WITH_ASOF  -DNO_RELOAD (ltl)
 *   -DBY_CLOCK (rows say a time, statuses the time of the snapshot)  -DTURN_NOT_COMPARED
 *   -DCOUNTER_NOT_IN_TRANSACTION  -DSNAPSHOT_BEFORE_LOCK  -DNEWEST_AS_OF  -DAS_OF_RUNS_ON
 *   -DNO_COMMON_MOMENT (boards of different moments are called "as of the oldest")
 *   -DLOADED_FROM_TABLE (what a collector has loaded stands in its row, not in its status)
 *   -DKEEPS_WINDOWS (with GHOST, as TURN_NOT_COMPARED)  -DFENCED_WITHOUT_LOAD (with FENCED)
 *   -DOLD_LOAD_COUNTS (so, too: a load that had begun before goes on)
 */
#ifndef N
#define N 2
#endif
#ifndef K
#define K 3
#endif
#ifndef STARTS
#define STARTS 3
#endif
#ifndef BREAKS
#define BREAKS 1
#endif
#define FIRST(n) ((1 << (n)) - 1) /* the readings 1..n */

typedef counts { byte n[N] };
typedef status {
    bool is_there;
    byte turn, since, as_of, window;
    byte loaded_at; /* BY_CLOCK */
    counts loaded
};

/* The database. */
byte commits;
byte turn[N], batches[N];
byte stored_until[N]; /* BY_CLOCK */
bool is_locked[N];
/* The batch under way: may commit; has, and its tag is on the way; has, and the tag is lost. */
mtype:tx = {NONE, OPEN, DONE, UNHEARD};
mtype:tx tx[N] = NONE;
byte begun_at[N]; /* arrival of the batch */
byte reading[N];  /* its number, once committed */

/* The collectors. */
mtype:life = {DOWN, LOADING, LIVE};
mtype:life life[N] = DOWN;
byte window[N], loaded_at[N];
bool is_void[N]; /* what the load under way has read */
byte since[N]; /* the window is what it is since this moment */
counts loaded[N];
byte starts = STARTS;
#ifdef GHOST
status ghost[N]; /* .as_of is not used: it says "now" */
#endif

/* The broker and httpapi. */
bool is_heard[N];   /* its broker is the one that httpapi listens to */
status heard[N];    /* by httpapi, the last of each collector */
bool from_boards;   /* how httpapi answers */

inline copy_counts(to, from)
{
    to.n[0] = from.n[0];
    to.n[1] = from.n[1];
#if N > 2
    to.n[2] = from.n[2];
#endif
}

inline clear_counts(it)
{
    it.n[0] = 0;
    it.n[1] = 0;
#if N > 2
    it.n[2] = 0;
#endif
}

inline copy_status(to, from)
{
    to.is_there = from.is_there;
    to.turn = from.turn;
    to.since = from.since;
    to.as_of = from.as_of;
    to.window = from.window;
    to.loaded_at = from.loaded_at;
    copy_counts(to.loaded, from.loaded)
}

inline forget(s)
{
    d_step {
        s.is_there = false; s.turn = 0; s.since = 0; s.as_of = 0; s.window = 0; s.loaded_at = 0;
        clear_counts(s.loaded)
    }
}

/* ---- the collectors -------------------------------------------------------------------------- */

inline end_batch(c)
{
    tx[c] = NONE; begun_at[c] = 0; reading[c] = 0
}

inline end_process(c) /* killed or stopped: the lock falls once the server has ended its transaction */
{
    life[c] = DOWN;
    d_step { window[c] = 0; since[c] = 0; loaded_at[c] = 0; clear_counts(loaded[c]) }
    if
    :: tx[c] == DONE || tx[c] == UNHEARD -> end_batch(c)
    :: else
    fi;
    is_locked[c] = (tx[c] == OPEN)
}

proctype Collector(byte c)
{
end:
    do
    :: atomic { life[c] == DOWN && !is_locked[c] && starts > 0 ->
           starts--;
           is_locked[c] = true;
           turn[c]++;
           life[c] = LOADING
       }
    :: atomic { life[c] == LIVE && tx[c] == NONE && commits < K ->
           tx[c] = OPEN;
           begun_at[c] = commits
       }
    :: atomic { life[c] == LIVE && tx[c] == DONE -> /* on_stored: windows take it */
           window[c] = window[c] | (1 << (reading[c] - 1));
           since[c] = (reading[c] > since[c] -> reading[c] : since[c]);
#ifdef COUNTER_NOT_IN_TRANSACTION
           batches[c]++;
#endif
           end_batch(c)
       }
#ifdef FENCED
    :: atomic { life[c] == LIVE && tx[c] == UNHEARD -> /* on_fenced */
#ifndef FENCED_WITHOUT_LOAD
           life[c] = LOADING;
#ifndef OLD_LOAD_COUNTS
           is_void[c] = true;
#endif
#endif
           end_batch(c)
       }
#endif
    :: atomic { life[c] != DOWN -> end_process(c) } /* kill -9 */
#ifdef GHOST
    :: atomic { life[c] == LIVE && tx[c] == NONE && !ghost[c].is_there && is_heard[c] && starts > 0 ->
           d_step {
               ghost[c].is_there = true;
               ghost[c].turn = turn[c];
               ghost[c].window = window[c];
               ghost[c].since = since[c];
               ghost[c].loaded_at = loaded_at[c];
               copy_counts(ghost[c].loaded, loaded[c])
           };
           end_process(c)
       }
    :: atomic { ghost[c].is_there -> forget(ghost[c]) }
    /* the ghost gets its lock again, and has kept its windows */
    :: atomic { ghost[c].is_there && life[c] == DOWN && !is_locked[c] && starts > 0 ->
           starts--;
           is_locked[c] = true;
           if
#ifdef KEEPS_WINDOWS
           :: false
#else
           :: turn[c] != ghost[c].turn -> life[c] = LOADING /* another has stored in its name */
#endif
           :: else ->
                  window[c] = ghost[c].window;
                  since[c] = ghost[c].since;
#ifdef BY_CLOCK
                  loaded_at[c] = ghost[c].loaded_at;
#endif
                  copy_counts(loaded[c], ghost[c].loaded);
                  life[c] = LIVE
           fi;
           turn[c]++;
           forget(ghost[c])
       }
#endif
    od
}

/* What the server does with the batch: also after its collector is dead. */
proctype Server(byte c)
{
end:
    do
    :: atomic { tx[c] == OPEN ->
           if
           :: commits < K ->
                  commits++;
#ifdef BY_CLOCK
                  stored_until[c] = begun_at[c];
#endif
#ifndef COUNTER_NOT_IN_TRANSACTION
                  batches[c]++;
#endif
                  if
                  :: life[c] == LIVE -> tx[c] = DONE; reading[c] = commits
#ifdef FENCED
                  :: life[c] == LIVE -> tx[c] = UNHEARD
#endif
                  :: else -> end_batch(c); is_locked[c] = false
                  fi
           :: end_batch(c); /* rolled back */
              is_locked[c] = (life[c] != DOWN)
           fi
       }
    od
}

/* Somebody is gone and has stored more than collector h has loaded. */
#define IS_MISSING(h, c) (c != h && !is_locked[c] && loaded[h].n[c] < batches[c])
#if N > 2
#define MISSES(h) (IS_MISSING(h, 0) || IS_MISSING(h, 1) || IS_MISSING(h, 2))
#else
#define MISSES(h) (IS_MISSING(h, 0) || IS_MISSING(h, 1))
#endif

inline take_snapshot()
{
    is_void[c] = false;
    snapshot = FIRST(commits);
    at = commits;
    then.n[0] = batches[0];
    then.n[1] = batches[1];
#if N > 2
    then.n[2] = batches[2];
#endif
}

inline finish_load()
{
    atomic { /* loaded; unless the process has died meanwhile */
        if
        :: life[c] != DOWN && turn[c] == in_turn && !is_void[c] ->
               window[c] = window[c] | snapshot;
               since[c] = (at > since[c] -> at : since[c]);
#ifdef BY_CLOCK
               loaded_at[c] = at;
#endif
               copy_counts(loaded[c], then);
               life[c] = LIVE
        :: else
        fi;
        snapshot = 0; at = 0; in_turn = 0;
        clear_counts(then)
    }
}

proctype Loader(byte c)
{
    byte snapshot, at, in_turn;
    counts then;
#ifdef SNAPSHOT_BEFORE_LOCK
    bool has_snapshot; /* of a second process of this id, which waits for the lock */
#endif
end:
    do
#ifdef SNAPSHOT_BEFORE_LOCK
    :: d_step { !has_snapshot -> take_snapshot(); has_snapshot = true }
    :: d_step { life[c] == LOADING && has_snapshot -> in_turn = turn[c]; has_snapshot = false };
       finish_load()
#else
    :: d_step { life[c] == LOADING -> take_snapshot(); in_turn = turn[c] };
       finish_load()
#ifndef NO_RELOAD
    :: d_step { life[c] == LIVE && MISSES(c) -> take_snapshot(); in_turn = turn[c] };
       finish_load()
#endif
#endif
    od
}

/* ---- httpapi --------------------------------------------------------------------------------- */

/* What it has heard of collector c. A status that comes late is one that was not replaced in time,
 * so one copy is enough: it may be as old as it likes. */
proctype Status(byte c)
{
end:
    do
    :: d_step { life[c] == LIVE ->
           heard[c].is_there = true;
           heard[c].turn = turn[c];
           heard[c].window = window[c];
           heard[c].since = since[c];
#ifdef BY_CLOCK
           heard[c].loaded_at = loaded_at[c];
#endif
           copy_counts(heard[c].loaded, loaded[c]);
#ifdef AS_OF_RUNS_ON
           heard[c].as_of = commits
#else
           heard[c].as_of = (tx[c] == NONE -> commits : begun_at[c])
#endif
       }
#ifdef GHOST
    :: d_step { ghost[c].is_there -> copy_status(heard[c], ghost[c]); heard[c].as_of = commits }
    :: atomic { life[c] == DOWN && !ghost[c].is_there && heard[c].is_there -> forget(heard[c]) }
#else
    /* silent for 3 s, or its last will */
    :: atomic { life[c] == DOWN && heard[c].is_there -> forget(heard[c]) }
#endif
    od
}

#ifdef TURN_NOT_COMPARED
#define IS_MERGED(c) (heard[c].is_there)
#else
#define IS_MERGED(c) (heard[c].is_there && heard[c].turn == polled_turn[c])
#endif
#ifdef BY_CLOCK
#define HAS_LOADED(h, c) (IS_MERGED(h) && heard[h].loaded_at > polled_until[c])
#elif defined(LOADED_FROM_TABLE)
#define HAS_LOADED(h, c) (IS_MERGED(h) && loaded[h].n[c] >= polled_batches[c])
#else
#define HAS_LOADED(h, c) (IS_MERGED(h) && heard[h].loaded.n[c] >= polled_batches[c])
#endif
#if N > 2
#define IS_LOADED(c) (polled_batches[c] == 0 || HAS_LOADED(0, c) || HAS_LOADED(1, c) || HAS_LOADED(2, c))
#else
#define IS_LOADED(c) (polled_batches[c] == 0 || HAS_LOADED(0, c) || HAS_LOADED(1, c))
#endif
/* Who is heard, and vouches for nothing, may hold what he has received. */
#define IS_COVERED(c) (IS_MERGED(c) || !heard[c].is_there && IS_LOADED(c))

inline merge(c)
{
    if
    :: IS_MERGED(c) ->
           from_boards = true;
           all = all | heard[c].window;
           since_all = (heard[c].since > since_all -> heard[c].since : since_all);
#ifdef NEWEST_AS_OF
           as_of = (as_of == 255 || heard[c].as_of > as_of -> heard[c].as_of : as_of)
#else
           as_of = (heard[c].as_of < as_of -> heard[c].as_of : as_of)
#endif
    :: else
    fi
}

/* Boards or SQL? Whether the boards are whole does not change later: as of T is as of T. */
inline weigh()
{
    from_boards = false;
    as_of = 255;
    since_all = 0;
    all = 0;
    merge(0); merge(1);
#if N > 2
    merge(2);
#endif
#ifndef COVERAGE_FROM_BROKER_MEMORY
    from_boards = from_boards && IS_COVERED(0) && IS_COVERED(1);
#if N > 2
    from_boards = from_boards && IS_COVERED(2);
#endif
#endif
#if !defined(NO_COMMON_MOMENT) && !defined(NEWEST_AS_OF)
    from_boards = from_boards && since_all <= as_of; /* a moment that lies in all spans */
#endif
    assert(!from_boards || FIRST(as_of) == all);
    as_of = 0;
    since_all = 0;
    all = 0
}

active proctype Httpapi()
{
    byte polled_turn[N], polled_batches[N], polled_until[N];
    byte as_of, since_all, all;
    bool has_polled;
end:
    do
    :: d_step {
           polled_turn[0] = turn[0]; polled_batches[0] = batches[0]; polled_until[0] = stored_until[0];
           polled_turn[1] = turn[1]; polled_batches[1] = batches[1]; polled_until[1] = stored_until[1];
#if N > 2
           polled_turn[2] = turn[2]; polled_batches[2] = batches[2]; polled_until[2] = stored_until[2];
#endif
#ifdef POLL_NOT_COMPARED_WITH_ASOF
           has_polled = true
#else
           weigh(); /* those heard before: here the poll is one step */
           polled_turn[0] = 0; polled_batches[0] = 0; polled_until[0] = 0;
           polled_turn[1] = 0; polled_batches[1] = 0; polled_until[1] = 0;
#if N > 2
           polled_turn[2] = 0; polled_batches[2] = 0; polled_until[2] = 0;
#endif
#endif
       }
#ifdef POLL_NOT_COMPARED_WITH_ASOF
    :: d_step { has_polled -> weigh() } /* whatever has been heard since */
#endif
    od
}

proctype Breaks()
{
    byte left = BREAKS;
    do
    :: atomic { left > 0 -> left--; /* the broker lost what was retained, or httpapi starts again */
           forget(heard[0]); forget(heard[1]);
#if N > 2
           forget(heard[2])
#endif
       }
    :: left == 0 -> break
    :: break
    od
}

init
{
    atomic {
        is_heard[0] = true; /* no loss: the collectors are alike, and without any there are no boards */
        if :: is_heard[1] = true :: true fi;
#if N > 2
        if :: is_heard[2] = true :: true fi;
        run Collector(2); run Server(2); run Loader(2);
        if :: is_heard[2] -> run Status(2) :: else fi;
#endif
        run Collector(0); run Server(0); run Loader(0);
        run Collector(1); run Server(1); run Loader(1);
        if :: is_heard[0] -> run Status(0) :: else fi;
        if :: is_heard[1] -> run Status(1) :: else fi;
        run Breaks()
    }
}

#ifdef LIVENESS
#ifdef GHOST
#define GHOSTS (ghost[0].is_there || ghost[1].is_there)
#else
#define GHOSTS false
#endif
/* an unheard collector that lives keeps the answers with SQL, rightly */
#define QUIET ((is_heard[0] && life[0] == LIVE || is_heard[1] && life[1] == LIVE) \
               && (is_heard[0] || !is_locked[0]) && (is_heard[1] || !is_locked[1]) && !GHOSTS)
ltl again { (<> [] QUIET) -> ([] <> from_boards) }
#endif
