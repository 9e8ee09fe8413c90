"""What a record of the topic says, as the consumer that writes into Cassandra reads it (deploy/cassandra/records.py)."""

from __future__ import annotations

import json
import sys

import pytest
from conftest import CLONE

xxhash = pytest.importorskip("xxhash")
sys.path.append(str(CLONE / "deploy" / "cassandra"))

import records  # noqa: E402
from records import Headers, Refused, Row, Source, epoch_time, parse_time, read, read_headers  # noqa: E402

NOW_US = parse_time("2026-11-26T12:00:00Z")
NO_HEADERS = Headers(None, None, None)
STRANGER = Source(b"device_1", NO_HEADERS, NOW_US, NOW_US)


def one(value, source=STRANGER):
    found = read(value if isinstance(value, bytes) else json.dumps(value).encode(), source)
    assert len(found) == 1
    return found[0]


def test_a_record_of_ours_is_a_row_with_the_identity_of_its_header():
    value = b'{"deviceId":"device_1","timestamp":"2026-11-26T11:59:59.123456Z","status":"ON","pressure":12.5,"seq":7}'
    headers = read_headers(
        [
            ("identity", b"fedcba9876543210"),
            ("arrival", b"2026-11-26T12:00:00.000001Z"),
            ("topic", b"devices/device_1/readings"),
        ]
    )
    row = one(value, Source(b"device_1", headers, None, NOW_US))
    day = parse_time("2026-11-26T00:00:00Z") // records.US_PER_DAY
    time_us = (12 * 3600 - 1) * 1_000_000 + 123456
    assert row == Row("device_1", day, time_us, 0xFEDCBA9876543210 - 2**64, NOW_US + 1, "ON", 7, {"pressure": 12.5})


def test_the_identity_of_a_strangers_record_is_the_hash_of_its_object():
    bare = b'{"temperature": 21.5}'
    hashed = xxhash.xxh3_64_intdigest(bare)
    expected = hashed - 2**64 if hashed >= 2**63 else hashed
    for around in (bare, b" \n" + bare + b"\t", b"\xef\xbb\xbf" + bare, bare + b"\0"):
        assert one(around).id == expected
    assert one(b'{"temperature":21.5}').id != expected
    # As reading_json_test.c has it of the collector's hash: XXH3 of 64 bits, without a seed.
    assert xxhash.xxh3_64_intdigest(b"") == 0x2D06800538D394C2


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, NO_HEADERS),
        ([("identity", b"123")], NO_HEADERS),
        ([("identity", b"00000000000000zz"), ("arrival", b"yesterday"), ("other", b"x")], NO_HEADERS),
        ([("identity", None), ("topic", b"a\0b")], NO_HEADERS),
        ([("identity", b"000000000000000a"), ("identity", b"000000000000000B")], Headers(11, None, None)),
        ([("identity", b"000000000000000a"), ("identity", b"odd")], Headers(10, None, None)),
        ([("arrival", b"\xff\xfe")], NO_HEADERS),
    ],
)
def test_odd_headers_are_none(headers, expected):
    assert read_headers(headers) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "not_json"),
        (b"{'a':1}", "not_json"),
        (b'{"t":NaN}', "not_json"),
        (b'{"t":-Infinity}', "not_json"),
        (b'{"t":1}{}', "trailing_bytes"),
        (b"\xff\xfe{}", "invalid_utf8"),
        (b"7", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"[]", "not_json"),
        (b"[" * 100_000, "too_deep"),
        (b'{"t":' + b"[" * 100_000, "too_deep"),
        (b'{"t":1,"t":2}', "duplicate_member"),
        (b'{"t":1e999}', "not_finite"),
        (b'{"t":1' + b"0" * 400 + b"}", "not_finite"),
        (b'{"t":1' + b"0" * 5000 + b"}", "not_json"),
        (b'{"' + b"n" * 65 + b'":1}', "too_many_members"),
        (json.dumps({f"f{i}": i for i in range(201)}).encode(), "too_many_members"),
        (b'{"deviceId":"device_2","t":1}', "device_id_mismatch"),
        (b'{"deviceId":7,"t":1}', "wrong_type"),
        (b'{"timestamp":true,"t":1}', "wrong_type"),
        (b'{"timestamp":"yesterday","t":1}', "bad_timestamp"),
        (b'{"timestamp":"2026-02-30T00:00:00Z","t":1}', "bad_timestamp"),
        (b'{"timestamp":"2026-11-26T12:02:00Z","t":1}', "timestamp_in_future"),
        (b'{"timestamp":86400,"t":1}', "timestamp_too_old"),
        (b'{"timestamp":1e300,"t":1}', "bad_timestamp"),
        (b'{"status":"on"}', "unknown_status"),
        (b'{"status":1}', "unknown_status"),
        (b'{"seq":1}', "no_value"),
        (b'{"text":"x","flag":true,"nothing":null}', "no_value"),
        (b'{"t":1,"seq":-1}', "wrong_type"),
        (b'{"t":1,"seq":1.5}', "wrong_type"),
        (b'{"t":1,"seq":"1"}', "wrong_type"),
        (b'{"t":1,"seq":1e400}', "wrong_type"),
        (b'{"t":1,"seq":9007199254740993}', "wrong_type"),
    ],
)
def test_what_is_no_reading_has_a_reason(value, reason):
    (found,) = read(value, STRANGER)
    assert isinstance(found, Refused) and found.reason == reason and found.detail


@pytest.mark.parametrize(
    "key", [b"a/b", b"a+", b"#", b"..", b"x" * 65, "a\u202eb".encode(), b"a\tb", b"\xff", b" \x7f"]
)
def test_keys_that_are_no_ids_are_refused(key):
    assert one({"t": 1}, STRANGER._replace(key=key)).reason == "bad_device_id"


def test_without_a_key_the_payload_says_whose_it_is():
    nameless = STRANGER._replace(key=None)
    assert one({"deviceId": "Wetter-Süd 1", "t": 1}, nameless).device == "Wetter-Süd 1"
    assert one({"t": 1}, nameless).reason == "bad_device_id"


def test_members_that_are_no_numbers_are_left_out():
    assert one({"t": 1, "on": True, "name": "x", "none": None, "deep": {"a": [1]}, "list": [2]}).features == {"t": 1.0}


def test_a_time_that_is_missing_is_the_arrival_or_kafkas():
    assert one({"t": 1}).time_us == NOW_US % records.US_PER_DAY
    arrived = STRANGER._replace(headers=NO_HEADERS._replace(arrival_us=NOW_US - 5))
    assert one({"t": 1}, arrived)[2:5:2] == ((NOW_US - 5) % records.US_PER_DAY, NOW_US - 5)
    assert one({"t": 1}, STRANGER._replace(time_us=None)).reason == "bad_timestamp"


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31 23:59:59.9999999", -1),
        ("2026-11-26t12:00:00z", NOW_US),
        ("2026-11-26T14:30:00+02:30", NOW_US),
        ("2026-11-26T05:00:00-0700", NOW_US),
        ("2026-11-26T13:00:00+01", NOW_US),
        ("2026-11-26T12:00:00.5Z", NOW_US + 500_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
    ],
)
def test_times_are_read_as_the_collector_does(text, us):
    assert parse_time(text) == us


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-26", "2026-11-26T12:00Z", "2026-11-26T24:00:00Z", "2026-11-26T12:60:00Z", "2026-11-26T12:00:60Z",
     "2026-11-26T12:00:00.Z", "2026-11-26T12:00:00+24:00", "2026-11-26T12:00:00Zx", "٢٠٢٦-11-26T12:00:00Z", "0000-01-01T00:00:00Z"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_time(text)


@pytest.mark.parametrize(
    ("number", "us"),
    [
        (1790000000, 1790000000_000000), (1790000000.123456, 1790000000_123456), (1790000000123, 1790000000_123000),
        (1790000000123.456, 1790000000_123456), (1790000000123456, 1790000000_123456), (1790000000123456789, 1790000000_123456),
        (-1, -1_000000), (-0.0000001, -1),
    ],
)  # fmt: skip
def test_the_size_of_a_number_tells_its_unit(number, us):
    assert epoch_time(number) == us


def test_a_record_without_a_value_is_passed_over():
    assert read(None, STRANGER) == []


def test_each_element_of_an_array_is_a_reading_of_its_own():
    text = '[ {"t":1,"timestamp":"2026-11-26T12:00:00Z"} , {"t":"x"},{"t":3} , 4 ]'
    rows = read(text.encode(), STRANGER)
    assert [type(each) for each in rows] == [Row, Refused, Row, Refused]
    assert rows[0].id == one(b'{"t":1,"timestamp":"2026-11-26T12:00:00Z"}').id
    assert rows[2].id == one(b'{"t":3}').id
    assert rows[2].time_us == NOW_US % records.US_PER_DAY + 2  # elements without a time are a microsecond apart
    assert [each.reason for each in (rows[1], rows[3])] == ["no_value", "not_an_object"]
    for broken in (b'[{"t":1}', b'[{"t":1},]', b'[{"t":1} {"t":2}]', b'[{"t":1}]]'):
        assert one(broken).reason == "not_json"
