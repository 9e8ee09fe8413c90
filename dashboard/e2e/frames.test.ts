/* Twenty changes of a board a second, each of them a new order, out of a server of our own: what they
 * cost the page. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { desktop, launch, open } from './browser';
import { PATIENCE_MS } from './stack';

const BUILT = fileURLToPath(new URL('../built/', import.meta.url));
const SECONDS = 6;
const PER_SECOND = 20;
const FEATURES = ['temperature', 'pressure'];
const types: Record<string, string> = { html: 'text/html', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };

let server: Server;
let browser: Browser;
const streams = new Set<ServerResponse>();

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://x').pathname;
    const file = BUILT + (path === '/' ? 'index.html' : path.slice(1));

    if (path === '/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      streams.add(response);
      request.on('close', () => streams.delete(response));
    } else if (path === '/openapi.json') {
      const list = (name: string, values: string[]) => ({ name, schema: { items: { enum: values } } });
      response.end(
        JSON.stringify({
          info: { version: '0' },
          components: { schemas: {} },
          paths: { '/events': { get: { parameters: [list('features', FEATURES), list('interval', ['past_minute'])] } } },
        }),
      );
    } else if (path === '/boards/history') {
      const at = new Date().toISOString();
      response.end(JSON.stringify({ asOf: at, from: at, to: at, stepMs: 60_000, series: [], labels: {} }));
    } else if (path === '/readings') {
      const at = new Date().toISOString();
      response.end(JSON.stringify({ from: at, to: at, stepMs: 60_000, total: 0, devices: [] }));
    } else if (path === '/groups') {
      response.end(JSON.stringify({ groups: [], total: 0 }));
    } else if (path === '/heatmap') {
      const at = new Date().toISOString();
      response.end(JSON.stringify({ feature: FEATURES[0], from: at, to: at, stepMs: 900_000, source: 'readings', low: null, high: null, columns: [], top: null }));
    } else if (existsSync(file)) {
      response.writeHead(200, { 'Content-Type': types[path.split('.').at(-1)!] ?? 'text/html' });
      response.end(readFileSync(file));
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  browser = await launch();
});

afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

const say = (event: string, data: object) => {
  for (const stream of streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
};

/** Ten of fourteen devices in any order: some move, some leave, some come. */
function change(feature: string): void {
  const at = new Date().toISOString();
  const values = Array.from({ length: 14 }, (_, i) => ({ deviceId: `device_${i}`, value: 200 * Math.random() }));

  values.sort((a, b) => b.value - a.value);
  say('board', {
    feature,
    interval: 'past_minute',
    order: 'desc',
    asOf: at,
    source: 'boards',
    readings: values.slice(0, 10).map(({ deviceId, value }) => ({ deviceId, timestamp: at, status: 'ON', temperature: value, pressure: value })),
  });
}

const tell = () =>
  say('status', {
    source: 'boards',
    at: new Date().toISOString(),
    asOf: new Date().toISOString(),
    health: { level: 'ok', worst: null, others: [] },
    reason: 'the boards are current',
    collectors: [{ collectorId: 'c', isLive: true, state: 'live', devices: 100_000, limit: 10, ratePerSecond: 20_000 }],
  });

test(`${PER_SECOND} board changes a second leave most of each frame free`, async () => {
  const { page, complaints } = await open(browser, desktop);
  const debug = await page.context().newCDPSession(page);
  const read = async () => {
    const { metrics } = await debug.send('Performance.getMetrics');
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  };

  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await expect.poll(() => streams.size, { timeout: PATIENCE_MS }).toBe(1);
  tell();
  for (const feature of FEATURES) change(feature);
  await page.locator('tbody tr').first().waitFor();

  await page.evaluate(() => {
    const seen = { frames: [] as number[], long: 0 };
    const draw = (at: number) => {
      seen.frames.push(at);
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
    new PerformanceObserver((list) => (seen.long += list.getEntries().length)).observe({ type: 'longtask' });
    Object.assign(window, { seen });
  });
  await debug.send('Performance.enable', { timeDomain: 'threadTicks' });
  const before = await read();
  let sent = 0;
  const started = Date.now();
  while (Date.now() - started < SECONDS * 1000) {
    change(FEATURES[sent % FEATURES.length]!);
    if (++sent % PER_SECOND === 0) tell();
    await new Promise((resolve) => setTimeout(resolve, started + (sent * 1000) / PER_SECOND - Date.now()));
  }
  const after = await read();
  const { frames, long } = await page.evaluate(
    () => (window as unknown as { seen: { frames: number[]; long: number } }).seen,
  );
  const gaps = frames.slice(1).map((at, i) => at - frames[i]!).sort((a, b) => a - b);
  const cost = ((after.TaskDuration! - before.TaskDuration!) * 1000) / sent;

  console.log(
    `${sent} changes in ${SECONDS} s: ${cost.toFixed(1)} ms of the main thread each ` +
      `(script ${(((after.ScriptDuration! - before.ScriptDuration!) * 1000) / sent).toFixed(1)} ms), ` +
      `${(frames.length / SECONDS).toFixed(0)} frames/s, ${gaps[Math.floor(gaps.length * 0.95)]!.toFixed(0)} ms between ` +
      `two at the 95th percentile, ${long} tasks over 50 ms`,
  );
  /* CPU time, so that neighbours on the machine do not count; there is a change every 50 ms */
  expect(cost).toBeLessThan(25);
  expect(complaints).toEqual([]);
  await page.context().close();
});
