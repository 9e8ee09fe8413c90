/* fence.pml: is each record of a log stored once, whoever the group says owns it? (schema/011_positions.sql)
 *
 * Two members of a group read one partition of K records. The group gives it to one of them, and to the other at
 * any moment: because the first is slow, cut off or frozen, with a batch in its hands or in a transaction. It is told
 * late, or never. Members are killed; a COMMIT may be carried out without its member hearing of it. That a member
 * stands still is no step of its own: any other may take any number of steps before its next.
 *
 * Position  stands in the store, and is moved in the transaction of the batch, from where the batch begins.
 * Batches   [from, mid) is being stored, [mid, to) fills meanwhile.
 * Says      no record is stored twice (assert in store)
 *           who vouches for boards has all it ever stored in its windows, but for what is under way, and
 *           all that was stored before what it stores: else numbers of devices would be missed (assert in told, Boards)
 *           all is stored in the end (ltl all)
 *
 * The rule that holds
 *   store     moves the position from `from` to `mid` with the records, or stores nothing: fenced.
 *   member    asks for the position when the partition comes, once nothing of its own is under way, and loads its
 *             windows after that. When it is fenced it drops all it has, and does both again. When the
 *             partition comes back before what it holds was stored, it goes on after that.
 *
 * Settings -DK=3 (records) -DMOVES=2 (of the partition) -DKILLS=1 -DUNHEARD=1 (commits)
 * Mutations, each must fail:
 *   -DNO_FENCE (the position is written, and not compared)  -DFENCE_BY_GROUP (who owns the partition, as it
 *   knows, stores)  -DLOOKS_FIRST (the position is compared before the transaction)
 *   -DPOSITION_BESIDE (moved in a transaction of its own, after the batch)
 *   -DFENCED_WITHOUT_LOAD  -DLOADS_BEFORE_IT_ASKS  -DSEEKS_WITH_A_BATCH_IN_HAND
 *   -DTRIES_ON (ltl: who is fenced keeps what it has)
 */
#ifndef K
#define K 3
#endif
#ifndef MOVES
#define MOVES 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef UNHEARD
#define UNHEARD 1
#endif
#define M 2
#define FIRST(n) ((1 << (n)) - 1)             /* the records 0..n-1, as a set */
#define SPAN(a, b) (FIRST(b) & ~FIRST(a))     /* a..b-1 */

/* The store. */
byte position;
byte stored;    /* set of records */
byte stored_by[M];

/* The group. */
byte owner;
byte moves = MOVES, kills = KILLS, unheard = UNHEARD;

/* The members. */
bool has[M];       /* the partition, as it knows */
bool is_placed[M]; /* knows where it starts */
byte from[M], mid[M], to[M];
byte first[M];     /* record of what fills: `mid`, if all is well */
bool vouches[M];   /* its windows are complete */
byte window[M];
byte seen[M];      /* LOADS_BEFORE_IT_ASKS */
bool has_seen[M];
bool may_store[M]; /* LOOKS_FIRST */
bool owes[M];      /* POSITION_BESIDE: the position is still to be written */

inline drop(m)
{
    from[m] = 0; mid[m] = 0; to[m] = 0; first[m] = 0;
    is_placed[m] = false;
    may_store[m] = false;
    owes[m] = false
}

inline ask(m)
{
    from[m] = position; mid[m] = position; to[m] = position; first[m] = position;
    is_placed[m] = true;
    vouches[m] = false
}

/* The batch is on_stored. */
inline told(m)
{
    window[m] = window[m] | SPAN(from[m], mid[m]);
    assert(!vouches[m] || (window[m] & FIRST(from[m])) == FIRST(from[m]));
    from[m] = mid[m];
    may_store[m] = false
}

/* The server carries it out: the records of [begins, mid), once, and the position. */
inline store(m, begins)
{
    assert((stored & SPAN(begins, mid[m])) == 0);
    stored = stored | SPAN(begins, mid[m]);
    stored_by[m] = stored_by[m] | SPAN(begins, mid[m]);
#ifndef POSITION_BESIDE
    position = mid[m]
#endif
}

#if defined(NO_FENCE)
#define IS_OURS(m) true
#elif defined(FENCE_BY_GROUP)
#define IS_OURS(m) has[m]
#elif defined(LOOKS_FIRST)
#define IS_OURS(m) may_store[m]
#else
#define IS_OURS(m) (position == from[m])
#endif

proctype Member(byte m)
{
#ifdef SEEKS_WITH_A_BATCH_IN_HAND
    byte begins; /* first record of what is being stored */
#else
#define begins from[m]
#endif
end:
    do
    /* What the group says is heard at some time. */
    :: atomic { owner == m && !has[m] ->
           has[m] = true;
#ifdef SEEKS_WITH_A_BATCH_IN_HAND
           if
           :: is_placed[m] && mid[m] > from[m] -> to[m] = mid[m]; first[m] = position
           :: else
           fi
#else
           if
           :: to[m] == from[m] -> is_placed[m] = false
           :: else
           fi
#endif
       }
    :: atomic { owner != m && has[m] -> has[m] = false }

    /* Where it starts, and then what was stored before. */
#ifdef LOADS_BEFORE_IT_ASKS
    :: atomic { has[m] && !is_placed[m] && !has_seen[m] -> seen[m] = stored; has_seen[m] = true }
    :: atomic { has[m] && !is_placed[m] && has_seen[m] -> ask(m); has_seen[m] = false }
    :: atomic { is_placed[m] && !vouches[m] ->
           window[m] = window[m] | seen[m];
#else
    :: atomic { has[m] && !is_placed[m] -> ask(m) }
    :: atomic { !vouches[m] && (is_placed[m] || !has[m]) ->
           window[m] = window[m] | stored;
#endif
           vouches[m] = true
       }

    /* Records come, and a batch is closed. */
    :: atomic { has[m] && is_placed[m] && to[m] < K && to[m] - from[m] < 2 -> to[m]++ }
#ifdef SEEKS_WITH_A_BATCH_IN_HAND
    :: atomic { is_placed[m] && mid[m] == from[m] && (to[m] > mid[m]) ->
           begins = first[m];
#else
    :: atomic { is_placed[m] && mid[m] == from[m] && to[m] > mid[m] ->
#endif
           mid[m] = to[m];
           first[m] = mid[m]
       }
#ifdef LOOKS_FIRST
    :: atomic { mid[m] > from[m] && !may_store[m] && position == from[m] -> may_store[m] = true }
#endif

    /* It is stored, and the member hears of it, or does not and tries again. */
    :: atomic { mid[m] > from[m] && !owes[m] && IS_OURS(m) ->
           store(m, begins);
#ifdef POSITION_BESIDE
           owes[m] = true
#else
           told(m)
#endif
       }
    :: atomic { mid[m] > from[m] && !owes[m] && IS_OURS(m) && unheard > 0 ->
           unheard--;
           store(m, begins)
       }
#ifdef POSITION_BESIDE
    :: atomic { owes[m] -> position = mid[m]; owes[m] = false; told(m) }
#endif
    :: atomic { mid[m] > from[m] && !IS_OURS(m) && position != from[m] -> /* fenced */
#ifndef TRIES_ON
           drop(m);
#endif
#ifndef FENCED_WITHOUT_LOAD
           vouches[m] = false
#endif
       }

    :: atomic { kills > 0 ->
           kills--;
           drop(m);
           has[m] = false;
           vouches[m] = false;
           window[m] = 0;
           seen[m] = 0;
           has_seen[m] = false
       }
    od
}

proctype Group()
{
    do
    :: atomic { moves > 0 -> moves--; owner = 1 - owner }
    :: moves == 0 -> break
    :: break
    od
}

/* As of a moment before what is under way. */
#define LACKS(m) (vouches[m] && (stored_by[m] & ~window[m] & ~SPAN(from[m], mid[m])) != 0)

proctype Boards()
{
end:
    do
    :: atomic { LACKS(0) || LACKS(1) -> assert(false) }
    od
}

init
{
    atomic {
        run Member(0); run Member(1); run Group(); run Boards()
    }
}

#ifdef LIVENESS
ltl all { <> (stored == FIRST(K)) }
#endif
