/* A fleet with hours behind it, which goes on: something to look at. */
import type { Stack } from './stack';

const STEP_MS = 10_000;
const COARSE_MS = 120_000;
const HOUR_MS = 3_600_000;
const LIVE_STEP_MS = 250;
const statuses = ['ON', 'ON', 'ON', 'ACTIVE', 'ACTIVE', 'INACTIVE', 'OFF'];

/** The same numbers from the same seed. */
function chance(seed: number): () => number {
  let state = seed;

  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** Warm and cold through the hours, with noise and, rarely, a spike. */
function measure(device: number, at: number, random: () => number): object {
  const own = chance(device * 7919);
  const base = 55 + 60 * own();
  const turn = (at / 5_400_000) * 6.28 + 6.28 * own();

  return {
    timestamp: new Date(at).toISOString(),
    status: statuses[Math.floor(statuses.length * random())],
    temperature: round(base + 22 * Math.sin(turn) + 9 * (random() - 0.5) + (random() < 0.004 ? 45 : 0)),
    pressure: round(11 + 4 * Math.cos(turn * 0.7) + 1.5 * (random() - 0.5)),
  };
}

/** pump-1 to pump-`devices`, which sent less until so many `hours` ago; the first one was silent for a while, and numbers
 * its readings. */
export async function sendPast(stack: Stack, devices: number, hours = 3, allHours = hours): Promise<{ stop: () => void }> {
  const random = chance(1);
  const now = Date.now() - 1000;
  let seq = 0;
  const numbered = (device: number, reading: object) => (device === 1 ? { ...reading, seq: ++seq } : reading);
  const send = (device: number, readings: object) =>
    stack.publishRaw(`devices/pump-${device}/readings`, JSON.stringify(readings));

  for (let device = 1; device <= devices; device++) {
    const readings = [];

    for (let at = now - allHours * HOUR_MS; at < now; at += at < now - hours * HOUR_MS ? COARSE_MS : STEP_MS) {
      const minute = Math.floor((now - at) / 60_000);
      if (device === 1 && minute >= 27 && minute < 32) seq++;
      else readings.push(numbered(device, measure(device, at + Math.floor(4000 * random()), random)));
    }
    await send(device, readings);
  }
  const timer = setInterval(() => {
    const device = 1 + Math.floor(devices * random());
    void send(device, numbered(device, measure(device, Date.now(), random)));
    if (random() < 0.02) void send(device, { temperature: 'warm' });
    if (random() < 0.01) void stack.publishRaw(`devices/pump-${device}/readings`, '{"temperature":');
  }, LIVE_STEP_MS);
  return { stop: () => clearInterval(timer) };
}
