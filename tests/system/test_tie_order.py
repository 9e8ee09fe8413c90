"""The tie order stands once in C and once in SQL; both put the same readings in the same order."""

from __future__ import annotations

import subprocess

import pytest
from conftest import BUILD_DIR
from oracle import now_us, to_text
from psycopg2.extras import execute_values
from storage import migrated

# They order differently by bytes, by case, by language and by length.
IDS = ("B", "a", "b", "A", "a-1", "a.1", "a1", "a_1", "aa", "Z", "z", "é", "e", "zz", "ä", "Ö", "0", "00", "10", "9", "温", "😀", "ﬀ")


@pytest.fixture(scope="module")
def ranked_in_c():
    """A function that ranks as board_rank() does, which staircases and windows share their order with."""
    def ranked(rows, order, limit):
        lines = "".join(f"{device} {at} {content_hash} {value!r}\n" for device, at, content_hash, value in rows)
        done = subprocess.run([BUILD_DIR / "tie_order_driver", order, str(limit)], input=lines.encode(), stdout=subprocess.PIPE, check=True)
        return [tuple(line.split()) for line in done.stdout.decode().splitlines()]

    return ranked


def random_rows(rng, count):
    """Of few values, moments and hashes, so that most of them tie in something."""
    base = now_us() - 10_000_000
    values = [-0.0, 0.0, 1.5, -1.5, 5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0.1 + 0.2, 0.3]
    few = rng.sample(values, rng.randrange(1, len(values)))
    hashes = [0, 1, -1, 2**63 - 1, -(2**63), 2**31, -(2**31) - 1, 2**32 + 5, 5, -5]
    rows = {
        (rng.choice(IDS), base + rng.randrange(3), rng.choice(hashes)): rng.choice(few) for _ in range(count)
    }  # no key twice
    return [(*key, value) for key, value in rows.items()]


def test_sql_ranks_as_c_does(stack, rng, ranked_in_c):
    database = migrated(stack)
    database.rows("INSERT INTO devices (device_id) SELECT unnest(%s)", (rng.sample(IDS, len(IDS)),))
    ids = dict(database.rows("SELECT device_id, id FROM devices"))
    for round_number in range(40):
        rows = random_rows(rng, rng.randrange(1, 200))
        connection = database.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("TRUNCATE readings, peaks")
            cut = rng.randrange(len(rows) + 1)  # what comes in two statements meets what peaks has
            for part in (rows[:cut], rows[cut:]):
                if part:
                    execute_values(
                        cursor,
                        "INSERT INTO readings (device, recorded_at, received_at, content_hash, temperature) VALUES %s",
                        [(ids[d], to_text(at), to_text(at), h, v) for d, at, h, v in part],
                    )
            for order in ("desc", "asc"):
                for limit in (1, 5, 1000):
                    expected = ranked_in_c(rows, order, limit)
                    for since in ("-infinity", "2020-01-01"):
                        cursor.execute(
                            "SELECT device_id, (extract(epoch FROM (best).recorded_at) * 1000000)::bigint::text,"
                            " (best).content_hash::text FROM board_of('temperature', %s, %s, %s)",
                            (order, since, limit),
                        )
                        assert cursor.fetchall() == expected, (round_number, order, limit, since)
        connection.close()
