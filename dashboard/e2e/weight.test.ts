/* What the widest boards cost a page: twelve features of a hundred devices that send 370 readings a second. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { begin, desktop, open } from './browser';
import { type Stack, until } from './stack';

const SECONDS = 5;
const TOP = 100;
const FEATURES = Array.from({ length: 12 }, (_, i) => `f${i + 1}`);
const settings = { FEATURES: FEATURES.join(','), NUM_TOP_DEVICES: String(TOP) };

let stack: Stack;
let browser: Browser;

beforeAll(async () => {
  [stack, browser] = await begin(settings);
  await stack.start('devicesim', { settings: { FEATURES: settings.FEATURES }, args: ['--num-devices', String(TOP), '--interval', '270ms..271ms'] });
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

test(`${FEATURES.length} boards of ${TOP} are sent as what changes of them`, async () => {
  const { page, complaints } = await open(browser, desktop);
  const debug = await page.context().newCDPSession(page);
  const streams = new Set<string>();
  let bytes = 0;
  let messages = 0;
  const kinds: Record<string, number> = {};

  await debug.send('Network.enable');
  debug.on('Network.responseReceived', ({ requestId, response }) => {
    if (new URL(response.url).pathname === '/events') streams.add(requestId);
  });
  debug.on('Network.dataReceived', ({ requestId, dataLength }) => {
    if (streams.has(requestId)) bytes += dataLength;
  });
  debug.on('Network.eventSourceMessageReceived', ({ eventName, data }) => {
    messages++;
    kinds[eventName] = (kinds[eventName] ?? 0) + data.length;
  });
  await page.goto(stack.url);
  await until('all boards are whole', () =>
    page.locator('section.board tbody').evaluateAll((bodies, top) => bodies.length >= 12 && bodies.every((one) => one.querySelectorAll('tr').length >= top), TOP),
  );
  await page.evaluate(() => {
    const seen = { frames: 0, started: performance.now() };
    const draw = () => {
      seen.frames++;
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
    Object.assign(window, { seen });
  });
  await debug.send('Performance.enable', { timeDomain: 'threadTicks' });
  const read = async () => Object.fromEntries((await debug.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
  const before = await read();
  bytes = messages = 0;
  for (const kind of Object.keys(kinds)) delete kinds[kind];
  const started = Date.now();
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  const took = (Date.now() - started) / 1000;
  const perSecond = bytes / took;
  const frames = await page.evaluate(() => {
    const { seen } = window as unknown as { seen: { frames: number; started: number } };
    return (seen.frames * 1000) / (performance.now() - seen.started);
  });

  const after = await read();
  console.log(
    `${(perSecond / 1000).toFixed(1)} kB/s of events, ${(messages / took).toFixed(0)} of them a second ` +
      `(${Object.entries(kinds).map(([kind, sum]) => `${kind} ${(sum / took / 1000).toFixed(1)} kB/s`).join(', ')}), ${frames.toFixed(0)} frames/s, ` +
      `${((100 * (after.TaskDuration! - before.TaskDuration!)) / took).toFixed(0)} % of a core on the main thread, ${await page.locator('*').count()} nodes`,
  );
  expect(messages).toBeGreaterThan(SECONDS); /* it was alive */
  /* the first minute, in which most readings are the best of it so far, and change more than later ones; whole boards are a
   * megabyte */
  expect(perSecond).toBeLessThan(150_000);
  expect(kinds.change).toBeGreaterThan(10 * (kinds.board ?? 0));
  expect(complaints).toEqual([]);
  await page.context().close();
});
