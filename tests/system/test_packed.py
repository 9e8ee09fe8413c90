"""A day that is packed holds what it held, bit for bit; whatever comes late, changes or is killed meanwhile."""

from __future__ import annotations

import contextlib
import math
import subprocess
import threading

import psycopg2
import pytest
from oracle import Database, now_us, to_text
from psycopg2.extras import execute_values
from servers import until
from storage import DAY_US, Session, migrated

# Any name that a feature can have: of columns of chunks, of variables of functions, of words of SQL.
FEATURES = ("temperature", "pressure", "readings", "first_at", "last_at", "starts", "i", "low", "base", "day", "select", "x-y.z")
AFTER = "1 day"
DAY = now_us() // DAY_US * DAY_US - 3 * DAY_US


def fresh(stack, features=("temperature", "pressure")):
    database = migrated(stack)
    database.rows("SELECT add_features(%s)", (list(features),))
    database.rows("SELECT make_partitions(%s, now())", (to_text(DAY),))
    database.rows("UPDATE storage_state SET rolled_until = date_trunc('day', now(), 'UTC'), late_before = date_trunc('day', now(), 'UTC')")
    return database


def put(database, rows, features=("temperature", "pressure")):
    """Rows of (device, microseconds of the day, hash, {received, status, seq, feature: value}); returns how many were new."""
    columns = ["device", "recorded_at", "content_hash", "received_at", "status", "seq", *features]
    values = []
    for device, at, content_hash, given in rows:
        received = given.get("received", 5_000)
        values.append((
            device, to_text(DAY + at), content_hash, received if isinstance(received, str) else to_text(DAY + at + received),
            given.get("status"), given.get("seq"),
            *(None if given.get(feature) is None else repr(given[feature]) for feature in features),  # -0.0 as a number is 0
        ))  # fmt: skip
    with contextlib.closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        names = ", ".join(f'"{name}"' for name in columns)
        inserted = execute_values(cursor, f"INSERT INTO readings ({names}) VALUES %s ON CONFLICT DO NOTHING RETURNING 1", values, page_size=10**6, fetch=True)
    return len(inserted)


def content(database, features=("temperature", "pressure"), cursor=None):
    """All readings, packed or not: doubles as their bits, of hashes what is kept of all."""
    bits = "".join(f""", encode(float8send("{feature}"), 'hex')""" for feature in features)
    query = f"SELECT device, recorded_at::text, received_at::text, status, seq, content_hash >> 48{bits} FROM ALL_READINGS r ORDER BY 1, 2, 6, 4, 5, 7, 8"
    if cursor is None:
        return database.rows_of_all(query)
    cursor.execute("SELECT readings_settle(), readings_source('-infinity', 'infinity')")
    cursor.execute(query.replace("ALL_READINGS", cursor.fetchone()[1]))
    return cursor.fetchall()


def step(database):
    return database.value("SELECT did FROM packing_step(%s)", (AFTER,))


def pack(database):
    """Until nothing is left to do. What was turned is dropped when all are over who ran then, in any database: autovacuum, say."""
    done = []

    def nothing_is_left():
        while (did := step(session)) is not None:
            done.append(did)
            assert len(done) < 300, done[-9:]
        return session.value("SELECT count(*) FROM packed_days WHERE detached IS NOT NULL") == 0

    with Session(database) as session:
        until(nothing_is_left, 20)
    return done


def some(rng, devices=3, count=300, every=250_000_000):
    return [
        (device, i * every + rng.randrange(1000), rng.getrandbits(64) - 2**63,
         {"status": 1 + i % 4, "seq": i, "temperature": rng.randrange(4000) / 100, "pressure": rng.random()})
        for device in range(1, devices + 1) for i in range(count)
    ]  # fmt: skip


def loose(database):
    """What is in readings and not in chunks."""
    return database.count("readings")


# --- Exactness -----------------------------------------------------------------------------------

DECIMALS = [0.0, 1.0, -1.0, 0.1, 21.37, -40.05, 0.1 + 0.2, 1e-9, 123456.789012, 99999.99, 1 / 3, 2.5e-7]
EXTREME = [-0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1e308, -1.7976931348623157e308, 1e15, 1e15 + 0.125, 2**53 + 2.0, -(2.0**62),
           9.3e18, -9.3e18, math.nan, math.inf, -math.inf]  # fmt: skip
RARE = [-0.0, 1 / 3, 1e300, math.nan, None, 0.125]  # one among many of two decimals


def hostile_rows(rng):
    """Of each kind a device, so that each kind of column is packed by itself."""
    device = 0
    for kind in range(26):
        device += 1
        at = 0
        for i in range(rng.choice([1, 2, 3, 90, 600])):
            at = [i * 1_000_000, i * 1_000_000 + rng.randrange(1000), i * 60_000_000, at + rng.choice([0, 0, 1, 999]),
                  rng.randrange(DAY_US), i * 1_000_000 + rng.randrange(20) * 1000][kind % 6]  # fmt: skip
            seq = [None, i, 2**63 - 1 - i % 5, -(2**63) + i % 7, i * 2 + rng.choice([0, 0, 50_000]), None if i % 3 else i, rng.getrandbits(64) - 2**63][kind % 7]
            given = {"seq": seq, "status": [None, 1, 1 + i % 4, None if i % 2 else 4][kind % 4]}
            given["received"] = [5_000, rng.randrange(50_000), -3_600_000_000, i * 500_000, rng.randrange(80 * 365) * DAY_US][kind % 5]
            for number, feature in enumerate(FEATURES):
                value = [rng.choice(DECIMALS), rng.choice(EXTREME), 20 + rng.randrange(1000) / 100, 7.25, None, i * 1000.5,
                         rng.choice([None, 1.5]), rng.random() * 1e-5, rng.choice([0.0, -0.0]), rng.randrange(10**7) / 10, rng.gauss(0, 1e12),
                         float(i * 7), rng.choice(RARE) if i == 137 else rng.randrange(4000) / 100][(kind + number) % 13]  # fmt: skip
                given[feature] = value
            yield device, at, rng.getrandbits(64) - 2**63, given
    for i in range(600):  # each of these once, where no sample of a column meets it
        values = {feature: RARE[number % len(RARE)] if i == 137 else rng.randrange(4000) / 100 for number, feature in enumerate(FEATURES)}
        yield 1002, i * 1_000_000, rng.getrandbits(64) - 2**63, values
    for at in (0, DAY_US - 1):  # the ends of the day
        yield 1000, at, 2**63 - 1, {"temperature": 1.5}
        yield 1000, at, -(2**63), {"temperature": 2.5}
    for i, received in enumerate(["infinity", "-infinity", "1700-01-01", "2500-01-01"]):  # no chunk can say that
        yield 1001, 5000 + i, i << 50, {"received": received, "pressure": 3.0}
        yield 1001, 6000 + i, i << 50, {"pressure": 3.0}


def test_what_was_packed_is_what_was_there_bit_for_bit(stack, rng):
    database = fresh(stack, FEATURES)
    put(database, hostile_rows(rng), FEATURES)
    before = content(database, FEATURES)
    assert pack(database)[-2:] == ["turned", "dropped"]
    assert content(database, FEATURES) == before
    assert loose(database) == 4
    assert database.value("SELECT sum(readings) FROM reading_chunks") == len(before) - 4
    for feature in FEATURES[:3]:  # any of them alone
        rows = f'SELECT device, recorded_at, "{feature}"::text FROM %s r ORDER BY 1, 2, 3'
        source = database.value("SELECT readings_source('-infinity', 'infinity', NULL, ARRAY[%s])", (feature,))
        assert database.rows(rows % source) == database.rows(rows % database.value("SELECT readings_source('-infinity', 'infinity')"))


def test_any_part_of_a_day_is_found_by_its_bounds(stack, rng):
    database = Session(fresh(stack))
    put(database, [*some(rng, 2, 9000, 9_500_000), *some(rng, 3, 40)])
    put(database, [(2, i % 50 * 1000, i, {"temperature": i / 10}) for i in range(400)])
    database.rows("CREATE TEMPORARY TABLE plain AS SELECT device, recorded_at, temperature FROM readings")
    pack(database)
    for _ in range(60):
        device = rng.randrange(1, 4)
        starts = rng.choice([0, rng.randrange(60_000), rng.randrange(DAY_US)])
        ends = starts + rng.choice([0, 1, 1000, 10_000_000, DAY_US])
        words = to_text(DAY + starts), to_text(DAY + ends)
        source = database.value("SELECT readings_source(%s, %s, %s, '{temperature}')", (*words, str(device)))
        said = database.rows(f"SELECT device, recorded_at, temperature FROM {source} r WHERE device = {device} AND recorded_at >= '{words[0]}' AND recorded_at < '{words[1]}'")
        assert sorted(said) == sorted(database.rows("SELECT * FROM plain WHERE device = %s AND recorded_at >= %s AND recorded_at < %s", (device, *words)))
    # in bursts, so that a reading lies up to thirty places from where a straight line has it
    bursts = [i // 60 * 60_000 + i % 60 * 10 for i in range(3961)]
    put(database, [(4, at, i, {"temperature": 1.5}) for i, at in enumerate(bursts)])
    pack(database)
    form = "SELECT (recorded_at).step > 0 AND (recorded_at).small IS NOT NULL FROM reading_chunks WHERE device = 4"
    assert database.rows(form) == [(True,)]
    for _ in range(40):
        starts = rng.choice(bursts) + rng.choice([0, 1, 5])
        ends = starts + rng.choice([1, 300, 60_000])
        words = to_text(DAY + starts), to_text(DAY + ends)
        source = database.value("SELECT readings_source(%s, %s, '4', '{temperature}')", words)
        said = database.value(f"SELECT count(*) FROM {source} r WHERE device = 4 AND recorded_at >= '{words[0]}' AND recorded_at < '{words[1]}'")
        assert said == sum(starts <= at < ends for at in bursts), words
    between = database.rows("SELECT count(*) FROM readings_between('nobody', %s, %s)", (to_text(DAY), to_text(DAY + DAY_US)))
    assert between == [(0,)]


def test_a_reading_a_second_takes_eighteen_bytes_at_most(stack, rng):
    database = fresh(stack)
    put(database, [(1, i * 1_000_000 + rng.randrange(1000), rng.getrandbits(64) - 2**63,
                    {"received": rng.randrange(3000, 11_000), "status": 1, "temperature": rng.randrange(9900, 10100) / 100, "pressure": rng.randrange(300, 340) / 100})
                   for i in range(40_000)])  # fmt: skip
    pack(database)
    taken = database.value("SELECT bytes / readings::float8 FROM packed_days")
    (expected,) = (row[1] for row in database.rows("SELECT * FROM disk_expected(1, '1 second')") if row[0] == "a packed reading")
    assert taken <= 18 and taken == pytest.approx(expected, rel=0.15)


# --- What comes late -----------------------------------------------------------------------------


def test_a_late_reading_goes_in_once(stack, rng):
    database = fresh(stack)
    rows = some(rng)
    put(database, rows)
    pack(database)
    before = content(database)
    assert put(database, rows) == 0  # the same messages again
    assert content(database) == before and step(database) is None

    device, at, content_hash, given = rows[400]
    new = [
        (1, 77, 5, {"temperature": 1.0}),  # before all others
        (1, DAY_US - 1, 6, {"temperature": 2.0}),  # after all others
        (99, 5_000_000, 7, {"pressure": 3.0}),  # a device that had none
        (device, at, content_hash ^ (1 << 60), given),  # the same moment, another message
        (device, at, content_hash ^ 1, {**given, "temperature": given["temperature"] + 1}),  # and 16 bits that are the same
        (device, at + 1, content_hash, given),
    ]
    assert put(database, new) == len(new)
    expected = sorted(content(database))
    assert len(expected) == len(before) + len(new)
    assert put(database, [*new, *rows]) == 0  # before they are merged
    assert [step(database) for _ in range(4)] == ["merged"] * 3 + [None]
    assert sorted(content(database)) == expected and loose(database) == 0
    assert put(database, [*new, *rows]) == 0  # and after
    assert sorted(content(database)) == expected
    assert database.value("SELECT readings FROM packed_days") == len(expected)


def test_who_waits_with_a_duplicate_while_late_readings_are_merged_finds_them(stack, rng):
    database = fresh(stack)
    put(database, some(rng))
    pack(database)
    late = (2, 123_456, 2**50, {"temperature": 9.0})
    assert put(database, [late]) == 1
    merging = database.connect()
    with merging.cursor() as cursor:
        cursor.execute("SELECT did FROM packing_step(%s)", (AFTER,))
        assert cursor.fetchone() == ("merged",)
        told = []
        waiting = threading.Thread(target=lambda: told.append(put(database, [late])))
        waiting.start()
        waiting.join(1)
        assert waiting.is_alive()
        merging.commit()
        waiting.join(30)
    merging.close()
    assert told == [0]
    assert len(content(database)) == 901


# --- Changes while it is packed ------------------------------------------------------------------


def test_what_changes_while_a_day_is_packed_is_packed_as_it_is_then(stack, rng):
    database = fresh(stack)
    put(database, some(rng, 6, 200))
    while (did := step(database)) != "turned":
        assert did in ("begun", "packed")
        database.rows("DELETE FROM readings WHERE ctid = ANY (ARRAY(SELECT ctid FROM readings WHERE device = 2 LIMIT 3)) AND device = 2")
        if did == "begun" or rng.random() < 0.6:
            put(database, [(rng.randrange(1, 9), rng.randrange(DAY_US), rng.getrandbits(60), {"temperature": rng.random()})])
        database.rows("UPDATE readings SET pressure = NULL WHERE device = 3 AND seq = %s", (rng.randrange(200),)) if rng.random() < 0.3 else None
        expected = content(database)
        if database.value("SELECT count(*) FROM readings WHERE device = 2") < 100:
            break
    pack(database)
    assert content(database) == expected and loose(database) == 0


def test_a_note_is_not_taken_away_from_under_a_writer(stack, rng):
    database = fresh(stack)
    put(database, some(rng))
    assert [step(database) for _ in range(2)] == ["begun", "packed"]
    put(database, [(1, 11, 11, {"temperature": 1.0})])  # noted
    with contextlib.closing(database.connect()) as writer, writer.cursor() as cursor:
        cursor.execute("INSERT INTO readings (device, recorded_at, content_hash, received_at) VALUES (1, %s, 12, now())", (to_text(DAY + 12),))
        assert step(database) == "waits"
        writer.commit()
    expected = content(database)
    assert "turned" in pack(database)
    assert content(database) == expected and len(expected) == 902


@pytest.mark.parametrize("how", ["rolled back", "terminated"])
def test_a_step_that_ends_half_way_leaves_either_form_whole(stack, rng, how):
    database = fresh(stack)
    put(database, some(rng, 4, 400))
    expected = content(database)
    did = ""
    while did is not None:
        with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT did FROM packing_step(%s)", (AFTER,))
            if how == "rolled back":
                connection.rollback()
            else:
                database.rows("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))
        assert content(database) == expected, did
        did = step(database)
        assert content(database) == expected, did
    assert loose(database) == 0


def test_a_turn_that_somebody_is_in_the_way_of_waits_and_is_tried_again(stack, rng):
    database = fresh(stack)
    put(database, some(rng))
    assert [step(database) for _ in range(2)] == ["begun", "packed"]
    with contextlib.closing(database.connect()) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM readings")
        assert step(database) == "waits"
    assert pack(database) == ["turned", "dropped"]


def test_slices_are_bounded_and_only_what_is_the_last_waits_for_the_disk(stack, rng):
    """Ingest shares processor and disk with them."""
    database = fresh(stack)
    expected = put(database, some(rng, devices=100, count=300))
    sizes, waits = [], {}
    with contextlib.closing(psycopg2.connect(database.url)) as connection, connection.cursor() as cursor:
        did = ""
        while did != "turned":
            cursor.execute("SELECT did, readings, current_setting('synchronous_commit') FROM packing_step(%s)", (AFTER,))
            did, readings, wait = cursor.fetchone()
            connection.commit()
            waits.setdefault(did, set()).add(wait)
            sizes += [readings] * (did == "packed")
    assert sum(sizes) == expected and max(sizes) <= 12_000, sizes
    assert waits == {"begun": {"on"}, "packed": {"off"}, "turned": {"on"}}


# --- Older snapshots, dumps ----------------------------------------------------------------------


def test_a_snapshot_that_is_older_than_the_turn_sees_the_day(stack, rng):
    database = fresh(stack)
    put(database, some(rng))
    assert step(database) == "begun"
    with contextlib.closing(database.connect()) as old, old.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT count(*) FROM devices")
        expected = content(database)
        assert [step(database) for _ in range(2)] == ["packed", "turned"]
        put(database, [(1, 1, 1, {})])
        assert step(database) == "merged"
        assert step(database) is None  # nothing is dropped
        assert content(database, cursor=cursor) == expected
        old.rollback()
        assert len(content(database)) == len(expected) + 1
    assert pack(database) == ["dropped"]
    assert len(content(database)) == len(expected) + 1


def test_a_snapshot_older_than_the_turn_of_a_later_day_sees_each_reading_once(stack, rng):
    """Chunks of the later day were committed before it, and hang below reading_chunks since the turn."""
    database = fresh(stack)
    put(database, some(rng))
    pack(database)
    put(database, [(device, DAY_US + at, content_hash, given) for device, at, content_hash, given in some(rng)])
    assert [step(database) for _ in range(2)] == ["begun", "packed"]
    expected = content(database)
    with contextlib.closing(database.connect()) as old, old.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT count(*) FROM devices")
        assert step(database) == "turned"
        assert content(database, cursor=cursor) == expected
    assert content(database) == expected


def restored(database, postgres, dump):
    name = f"{database.name}_restored"
    url = postgres.create_database(name)
    subprocess.run([postgres.bin / "pg_restore", "--no-owner", "--role=highwater", "--exit-on-error", "-d", postgres.url(name, "postgres"), dump], check=True)
    return Database(url, postgres.url(name, "postgres"), name)


def test_a_dump_of_a_snapshot_before_the_turn_has_the_day(stack, postgres, rng):
    database = fresh(stack)
    put(database, some(rng))
    expected = content(database)
    assert [step(database) for _ in range(2)] == ["begun", "packed"]
    dump = stack.logs / "before.dump"
    with contextlib.closing(database.connect()) as old, old.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        assert step(database) == "turned"
        subprocess.run([postgres.bin / "pg_dump", "-Fc", f"--snapshot={snapshot}", "-f", dump, database.url], check=True)
    copy = restored(database, postgres, dump)
    try:
        assert content(copy) == expected
        assert pack(copy)[-2:] == ["turned", "dropped"]
        assert content(copy) == expected and loose(copy) == 0
    finally:
        postgres.drop_database(copy.name)


@pytest.mark.parametrize("stage", ["half packed", "turned", "late"])
def test_a_dump_is_restored_as_it_was(stack, postgres, rng, stage):
    database = fresh(stack)
    put(database, some(rng))
    last = {"half packed": "packed", "turned": "turned", "late": "dropped"}[stage]
    while step(database) != last:
        pass
    if stage == "late":
        put(database, [(1, 1, 1, {"temperature": -0.0})])
    expected = content(database)
    dump = stack.logs / "packed.dump"
    subprocess.run([postgres.bin / "pg_dump", "-Fc", "-f", dump, database.url], check=True)
    copy = restored(database, postgres, dump)
    try:
        assert content(copy) == expected
        pack(copy)
        assert content(copy) == expected and loose(copy) == 0
    finally:
        postgres.drop_database(copy.name)


# --- Features, retention, removal ----------------------------------------------------------------


@pytest.mark.parametrize("when", ["half packed", "packed"])
def test_a_feature_that_is_added_later_has_no_values_then_and_can_come_late(stack, rng, when):
    database = fresh(stack)
    put(database, some(rng))
    while step(database) != ("packed" if when == "half packed" else "dropped"):
        pass
    database.rows("SELECT add_feature('humidity')")
    names = ("temperature", "pressure", "humidity")
    assert {row[8] for row in content(database, names)} == {None}
    assert put(database, [(1, 3, 3, {"humidity": -0.0}), (9, 3, 3, {"humidity": 50.5})], names) == 2
    expected = content(database, names)
    pack(database)
    assert content(database, names) == expected and loose(database) == 0
    assert database.value("SELECT count(*) FROM device_readings") == 0  # nobody has registered the devices
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || n FROM generate_series(1, 3) n")
    assert database.value("SELECT count(*) FROM device_readings") == 901
    assert database.rows("SELECT count(*), count(humidity) FROM readings_between('d1', '-infinity', 'infinity')") == [(301, 1)]


@pytest.mark.parametrize("stage", ["packed", "turned", "dropped"])
def test_retention_takes_a_packed_day_away(stack, rng, stage):
    database = fresh(stack)
    put(database, some(rng))
    while step(database) != stage:
        pass
    put(database, [(1, 1, 1, {})])
    assert database.value("SELECT detach_partition(%s)", (to_text(DAY + DAY_US),)) is not None
    assert content(database) == []
    assert database.value("SELECT drop_detached()") >= 2
    name = to_text(DAY)[:10].replace("-", "_")
    assert database.rows("SELECT relname FROM pg_class WHERE relname LIKE %s", (f"%{name}%",)) == []
    assert database.count("packed_days") == 0 and database.count("packing_changes") == 0
    assert step(database) is None


def test_part_of_a_devices_chunks_is_rewritten(stack, rng):
    database = fresh(stack)
    put(database, some(rng, 2, 9000, 9_500_000))
    pack(database)
    before = content(database)
    starts, ends = to_text(DAY + 30_000_000_000), to_text(DAY + 50_000_000_000)
    with contextlib.closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT chunks_rewrite(2, %s, %s, '(SELECT * FROM readings WHERE false)')", (starts, ends))
    after = content(database)
    gone = database.rows("SELECT count(*) FROM unnest(%s::timestamptz[]) t WHERE t >= %s AND t < %s", ([row[1] for row in before if row[0] == 2], starts, ends))[0][0]
    assert 2000 < gone == len(before) - len(after)
    assert set(after) < set(before)
    assert database.value("SELECT readings FROM packed_days") == len(after)
    with pytest.raises(psycopg2.Error, match="READ COMMITTED"):
        connection = database.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT * FROM packing_step('1 day')")
