/* gate.pml: the ack gate of collector/ingest.[ch] over shared/mqtt_link.[ch].
 *
 * Two collectors (1 and 2) with one id: one client id at the broker, one lock in the database. Devices
 * publish M messages, the broker delivers them at QoS 1 and delivers again what is not acknowledged
 * when a connection ends. Sets of messages are bit masks; the broker delivers in order.
 *
 * Says     an acknowledgement leaves only for a message whose row is committed   (assert in ack_leaves)
 *          no row is there twice                                                 (assert in Database)
 *          when nothing moves any more, every message is stored and acknowledged (assert in Quiet)
 *          with faults that end and fair processes, all are finally acknowledged (ltl stored)
 *          -DTAKEOVER: what a takeover of the session lost is noticed            (assert in connect)
 * Faults   the MQTT connection breaks; kill -9 between any two steps; the database session breaks
 *          with a COMMIT under way (which is carried out or not, later); the database restarts; a
 *          transient error. FAULTS of them, 0 = without end.
 *
 * Settings -DM=2  -DFAULTS=0  -DNO_READ_AHEAD (one packet a read: libmosquitto 2.0 without TLS)
 * Mutations, each must fail:
 *   -DFLUSH_BEFORE_COMMIT  -DIGNORE_EPOCH  -DREAD_WHILE_COMMITTING  -DDISCONNECT_WITH_HELD_ACKS
 *   -DASSUME_COMMITTED_ON_UNKNOWN  -DTAG_WHILE_CONNECTING (a batch begun before
 *   the CONNACK has the epoch of the connection that is coming)  -DNO_KEY (rows without one)
 *   -DNEVER_LEAVE (with LIVENESS: two collectors of one id take the session from each other for ever)
 *   -DTAKEOVER -DDETECT=1 .. 4; 5 holds
 */
#ifndef M
#define M 2
#endif
#ifndef FAULTS
#define FAULTS 0
#endif
#ifndef DETECT
#define DETECT 5
#endif
#define ALL ((1 << M) - 1)
#define LOWEST(set) ((set) & -(set))

mtype:phase = {DOWN, READING, COMMITTING, RELEASING};
mtype:link = {OFF, WAITING, CONNECTING, UP};

/* The broker's session. */
byte queued, sent, acked; /* not delivered on this connection; delivered; acknowledged */
byte wire;                /* acknowledgements that left and have not arrived */
byte client;              /* the collector that is connected; 0 = none */

/* The database. */
byte rows;                /* which messages have a row */
byte pending;             /* COMMIT was sent for these, outcome open */
byte lock;                /* the collector whose server session holds the lock; 0 = none */
bool is_cut;              /* that session's client is gone; it ends when its COMMIT has ended */
bool database_is_up = true;

/* The collectors; [0] is not used. */
mtype:phase phase[3] = DOWN;
mtype:link link[3] = OFF;
byte filling[3], batch[3]; /* read, not yet given to the store; being committed */
byte held[3];              /* acknowledgements queued in the library, behind the gate */
bool is_tagged[3];         /* the batch's epoch is that of the connection as it is now */
bool is_asked[3], is_told[3]; /* COMMIT was sent; its tag has come */

bool faults_are_over;

#define IS_READY(i) (lock == i && !is_cut)
#ifdef IGNORE_EPOCH
#define MAY_RELEASE(i) (link[i] == UP && held[i])
#else
#define MAY_RELEASE(i) (link[i] == UP && held[i] && is_tagged[i])
#endif
#ifdef READ_WHILE_COMMITTING
#define MAY_READ(i) (phase[i] == READING || phase[i] == COMMITTING)
#else
#define MAY_READ(i) (phase[i] == READING)
#endif

/* ---- the steps that several share ------------------------------------------------------------ */

inline ack_leaves(i, set)
{
    assert((rows & (set)) == (set)); /* the promise */
    wire = wire | (set);
    held[i] = held[i] & ~(set)
}

/* The connection of collector i has ended, and is wanted again (WAITING) or not (OFF). */
inline go_down(i, next)
{
    held[i] = 0;
    is_tagged[i] = false;
    link[i] = next;
    if
    :: phase[i] == RELEASING -> phase[i] = READING /* what was being released has no one to go to */
    :: else
    fi;
    if
    :: client == i -> client = 0; queued = queued | sent; sent = 0; wire = 0
    :: else
    fi
}

inline read_one(i)
{
    filling[i] = filling[i] | LOWEST(queued);
    held[i] = held[i] | LOWEST(queued);
    sent = sent | LOWEST(queued);
    queued = queued & ~LOWEST(queued)
}

inline lose_database(i)
{
#ifdef ASSUME_COMMITTED_ON_UNKNOWN
    is_told[i] = is_told[i] || is_asked[i];
#else
    is_told[i] = false;
#endif
    is_asked[i] = false
}

inline forget_all(i) /* kill -9 */
{
    go_down(i, OFF);
    phase[i] = DOWN; filling[i] = 0; batch[i] = 0;
    is_asked[i] = false; is_told[i] = false
}

#ifdef TAKEOVER
/* Somebody else connects with our client id and a clean start. */
byte lost;
mtype:session = {OURS, NONE, FOREIGN}; /* FOREIGN: it outlives its maker and lacks our subscription */
mtype:session session = OURS;
bool was_connected[3]; /* by this process before */
bool is_noticed;
bool has_taken;

inline meet_session(i)
{
    /* 1: the log line of today: "forgotten", from the second connection of a process on
       2: and the database remembers that this id had a session, so the first counts too
       3: DISCONNECT 0x8e "session taken over", heard by who is connected
       4: 1, 2 and 3 together
       5: 4, and whether the SUBSCRIBE was new: retain handling 1 brings a retained marker only then */
    if
    :: (DETECT == 1) && session == NONE && was_connected[i] -> is_noticed = true
    :: (DETECT == 2 || DETECT >= 4) && session == NONE -> is_noticed = true
    :: (DETECT == 5) && session == FOREIGN -> is_noticed = true
    :: else
    fi;
    assert(lost == 0 || is_noticed);
    session = OURS; lost = 0; is_noticed = false;
    was_connected[i] = true
}
#endif

/* ---- who acts -------------------------------------------------------------------------------- */

active proctype Devices()
{
    byte next = 1;
end:
    do
    :: atomic { next <= ALL ->
#ifdef TAKEOVER
           if
           :: session != OURS -> lost = lost | next
           :: else -> queued = queued | next
           fi;
#else
           queued = queued | next;
#endif
           next = next << 1
       }
    od
}

active proctype Wire()
{
end:
    do
    :: atomic { wire ->
           acked = acked | LOWEST(wire);
           sent = sent & ~LOWEST(wire);
           wire = wire & ~LOWEST(wire)
       }
    od
}

active proctype Database()
{
end:
    do
    :: atomic { pending -> /* the commit */
#ifdef NO_KEY
           assert((rows & pending) == 0);
#endif
           rows = rows | pending; /* a key that is there already is skipped */
           pending = 0;
           if
           :: !is_cut -> is_told[lock] = true
           :: else
           fi
       }
    :: atomic { is_cut && !pending -> lock = 0; is_cut = false }
    :: !database_is_up -> database_is_up = true
    od
}

proctype Collector(byte i)
{
end:
    do
    :: phase[i] == DOWN -> phase[i] = READING
    /* the store: connected and locked; only then the broker is joined */
    :: atomic { phase[i] != DOWN && lock == 0 && database_is_up ->
           lock = i;
           if
           :: link[i] == OFF -> link[i] = WAITING
           :: else
           fi
       }
    :: atomic { link[i] == WAITING -> link[i] = CONNECTING; is_tagged[i] = false /* next epoch */ }
    :: atomic { link[i] == CONNECTING -> /* CONNACK */
           if
           :: client != 0 -> go_down(client, WAITING) /* same client id */
           :: else
           fi;
           client = i;
           link[i] = UP;
#ifdef TAKEOVER
           meet_session(i);
#endif
#ifndef NO_READ_AHEAD
           /* the library may hand over, in the same call, what came with the CONNACK: paused or not */
           do
           :: queued -> read_one(i)
           :: break
           od
#endif
       }
    :: atomic { link[i] == UP && queued && MAY_READ(i) -> read_one(i) }
    :: atomic { phase[i] == READING && filling[i] ->
           batch[i] = filling[i];
           filling[i] = 0;
           phase[i] = COMMITTING;
#ifdef TAG_WHILE_CONNECTING
           is_tagged[i] = (link[i] == UP || link[i] == CONNECTING);
#else
           is_tagged[i] = (link[i] == UP);
#endif
#ifdef FLUSH_BEFORE_COMMIT
           if
           :: link[i] == UP -> ack_leaves(i, held[i])
           :: else
           fi
#endif
       }
    :: atomic { phase[i] == COMMITTING && IS_READY(i) && !is_asked[i] && !is_told[i] ->
           pending = batch[i];
           is_asked[i] = true
       }
    :: atomic { phase[i] == COMMITTING && is_told[i] -> /* on_stored */
           batch[i] = 0; is_asked[i] = false; is_told[i] = false;
           if
           :: link[i] == OFF && IS_READY(i) -> link[i] = WAITING
           :: else
           fi;
           phase[i] = (MAY_RELEASE(i) -> RELEASING : READING)
       }
    /* the flush, which may stop anywhere */
    :: atomic { phase[i] == RELEASING && held[i] -> ack_leaves(i, LOWEST(held[i])) }
    :: atomic { phase[i] == RELEASING && !held[i] -> phase[i] = READING }
    od
}

/* leave_after_ms: the database is away, so the broker is left; its queue is the buffer. */
proctype Timer(byte i)
{
end:
    do
#ifndef NEVER_LEAVE
    :: atomic { phase[i] != DOWN && link[i] != OFF && !IS_READY(i) ->
#ifdef DISCONNECT_WITH_HELD_ACKS
           if
           :: link[i] == UP -> ack_leaves(i, held[i]) /* the library writes all before DISCONNECT */
           :: else
           fi;
#endif
           go_down(i, OFF) /* with acks held: without a word */
       }
#else
    :: false
#endif
    od
}

proctype Faults()
{
    byte left = FAULTS;

    do
    :: FAULTS > 0 && left == 0 -> break
    :: atomic { FAULTS == 0 || left > 0 ->
           if
           :: client -> go_down(client, WAITING)
           :: phase[1] != DOWN -> forget_all(1); if :: lock == 1 -> is_cut = true :: else fi
           :: phase[2] != DOWN -> forget_all(2); if :: lock == 2 -> is_cut = true :: else fi
           :: lock && !is_cut -> lose_database(lock); is_cut = true
           :: lock && !is_cut && pending -> pending = 0; is_asked[lock] = false /* transient error */
           :: pending && is_cut -> pending = 0 /* the orphaned COMMIT did not happen */
           :: database_is_up ->
                  if
                  :: lock && !is_cut -> lose_database(lock)
                  :: else
                  fi;
                  if
                  :: rows = rows | pending
                  :: true
                  fi;
                  pending = 0; lock = 0; is_cut = false; database_is_up = false
#ifdef TAKEOVER
           :: !has_taken ->
                  has_taken = true;
                  lost = lost | queued | (sent & ~acked); queued = 0; sent = 0; wire = 0;
                  if
                  :: client && DETECT >= 3 -> is_noticed = true /* 0x8e */
                  :: else
                  fi;
                  if
                  :: client -> go_down(client, WAITING)
                  :: else
                  fi;
                  if
                  :: session = NONE
                  :: session = FOREIGN
                  fi
#endif
           fi;
           left = (FAULTS > 0 -> left - 1 : 0)
       }
    :: break
    od;
    faults_are_over = true
}

/* Nothing can move: then nothing is left to do. A deadlock ends here too. */
active proctype Quiet()
{
end:
    timeout -> 
#ifndef TAKEOVER
    assert(acked == ALL && rows == ALL && queued == 0 && sent == 0)
#else
    assert(queued == 0 && sent == 0)
#endif
}

init
{
    atomic {
        run Collector(1); run Timer(1);
        run Collector(2); run Timer(2);
        run Faults()
    }
}

#ifdef LIVENESS
ltl stored { <> (acked == ALL) }
#endif
