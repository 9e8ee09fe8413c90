// The same job with Node.js, mqtt and pg, the usual way done well: one INSERT for a batch, from arrays.
//
// What it does not do: mqtt acknowledges a message when its handler returns, so before it is stored; what it
// holds when it ends is lost. It keeps no boards, rejects nothing, looks at no bounds. MQTT_URL and
// DATABASE_URL say where; on SIGUSR2 it prints what it has stored.
'use strict';
const mqtt = require('mqtt');
const { Client } = require('pg');

const BATCH = 5000;
const LINGER_MS = 10;
const STATUSES = { ON: 1, OFF: 2, ACTIVE: 3, INACTIVE: 4 };
const INSERT =
  'INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)' +
  ' SELECT * FROM unnest($1::int[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::smallint[],' +
  ' $6::float8[], $7::float8[]) ON CONFLICT DO NOTHING';

const database = new Client({ connectionString: process.env.DATABASE_URL });
const devices = new Map();
let waiting = [];
let isWriting = false;
let timer = null;
let stored = 0;

function hash(reading) {
  return (Math.imul((reading.temperature * 100) | 0, 31) + ((reading.pressure * 100) | 0)) | 0;
}

async function write() {
  timer = null;
  if (isWriting || waiting.length === 0) return;
  isWriting = true;
  const batch = waiting;
  waiting = [];
  const columns = [[], [], [], [], [], [], []];
  const now = new Date().toISOString();
  for (const reading of batch) {
    columns[0].push(devices.get(reading.deviceId));
    columns[1].push(hash(reading));
    columns[2].push(reading.timestamp);
    columns[3].push(now);
    columns[4].push(STATUSES[reading.status]);
    columns[5].push(reading.temperature);
    columns[6].push(reading.pressure);
  }
  await database.query({ name: 'insert', text: INSERT, values: columns });
  stored += batch.length;
  isWriting = false;
  if (waiting.length >= BATCH) write();
  else if (waiting.length > 0 && !timer) timer = setTimeout(write, LINGER_MS);
}

async function main() {
  await database.connect();
  for (const row of (await database.query('SELECT id, device_id FROM devices')).rows) devices.set(row.device_id, row.id);
  const client = mqtt.connect(process.env.MQTT_URL, {
    protocolVersion: 5,
    properties: { receiveMaximum: 65535 },
  });
  client.on('connect', () =>
    client.subscribe('devices/+/readings', { qos: 1 }, () => console.log('ready')));
  client.on('message', (topic, payload) => {
    waiting.push(JSON.parse(payload.toString()));
    if (waiting.length >= BATCH) write();
    else if (!timer && !isWriting) timer = setTimeout(write, LINGER_MS);
  });
  process.on('SIGUSR2', () => console.log(JSON.stringify({ stored, at: Date.now() / 1000 })));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
