/* The fleet strip: what a spike looks like, and how one gets from it to the boards of that time. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { begin, desktop, faults, open, phone } from './browser';
import { type Stack, until } from './stack';
import type { Heatmap } from '../src/contract';

const HOUR_MS = 3_600_000;
const STEP_MS = 600_000;
let stack: Stack;
let browser: Browser;
let page: Page;
let complaints: string[];
let map: Heatmap;
let place: number; /* of the spike */
const end = Math.floor(Date.now() / STEP_MS) * STEP_MS;
const spikeAt = end - 5 * HOUR_MS + 61_000;

beforeAll(async () => {
  [stack, browser] = await begin();
  for (let device = 0; device < 12; device++) {
    const readings = [];
    for (let at = end - 20 * HOUR_MS; at < end; at += STEP_MS)
      readings.push({ timestamp: new Date(at + 5000).toISOString(), status: 'ON', temperature: 20 + device / 4, pressure: device });
    if (device === 7) readings.push({ timestamp: new Date(spikeAt).toISOString(), status: 'ON', temperature: 95.5 });
    await stack.publishRaw(`devices/pump-${device}/readings`, JSON.stringify(readings));
  }
  await until('all of it is there', async () => {
    map = await stack.json<Heatmap>('heatmap?feature=temperature');
    return map.high === 95.5 && (map.columns.at(0)?.length ?? 0) > 0 && map.columns.flat().reduce((a, b) => a + b) >= 12 * 75;
  });
  place = Math.floor((spikeAt - Date.parse(map.from)) / map.stepMs);
  ({ page, complaints } = await open(browser, { ...desktop, timezoneId: 'UTC' }));
  await standStill(page);
  await page.goto(`${stack.url}#/boards/all_time`);
});

/** Each quarter of an hour the map of all goes on by a column: here it is that of the beginning, which was told above. */
const standStill = (on: Page) => on.route(/heatmap\?feature=temperature(&since=.*)?$/, (route) => route.fulfill({ json: map }));

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

const area = (on = page) => on.locator('.heat-area');
const ready = async (on = page) => {
  await on.locator('.heat-legend .device-id, .heat-legend bdi').first().waitFor();
};
const shown = () => new URL(page.url()).hash;

/** Whether a device is drawn in the row of the highest values, in a column. */
const isPainted = (at: number, on = page) =>
  on.locator('.heat-area canvas').evaluate(
    (element, [x, count]) => {
      const canvas = element as HTMLCanvasElement;
      const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: 4 });
      const context = copy.getContext('2d', { willReadFrequently: true })!;
      context.drawImage(canvas, 0, 0);
      return context.getImageData(Math.floor(((x! + 0.4) * canvas.width) / count!), 2, 1, 1).data[3]! > 40;
    },
    [at, map.columns.length],
  );

test('a spike is a cell in its place, and one drag over it shows who it was', async () => {
  await ready();
  await until('the spike is painted', () => isPainted(place));
  for (const other of [place - 3, place + 3]) expect(await isPainted(other)).toBe(false);
  const box = (await area().boundingBox())!;
  const x = (column: number) => box.x + ((column + 0.5) / map.columns.length) * box.width;
  await page.mouse.move(x(place - 2), box.y + 40);
  await page.mouse.down();
  await page.mouse.move(x(place + 2), box.y + 60, { steps: 4 });
  await page.mouse.up();
  await page.getByRole('link', { name: 'pump-7' }).first().waitFor();
  const from = new Date(Date.parse(map.from) + (place - 2) * map.stepMs).toISOString();
  const to = new Date(Date.parse(map.from) + (place + 3) * map.stepMs).toISOString();
  expect(shown()).toBe(`#/boards?${new URLSearchParams({ from, to })}`);
  expect(await page.locator('section.board:has(h2:text-is("Temperature")) tbody tr:first-child .value').textContent()).toContain('95.5');
  await page.getByText('Rise', { exact: true }).click();
  await page.getByRole('heading', { name: /^Largest rise/ }).waitFor();
  await page.waitForFunction(() => document.querySelector('section.board tbody .value')?.textContent?.startsWith('73.75'));
  expect(await page.locator('section.board tbody .value').first().textContent()).toContain('95.5, from 21.75 at');
  await page.getByRole('button', { name: 'Back to live' }).click();
  await page.waitForFunction(() => !location.hash.includes('from'));
});

test('so do Shift and arrows, a tap, and the numbers stand in a table', async () => {
  await ready();
  await area().focus();
  await page.keyboard.press('Home');
  for (let i = 0; i < place - 1; i++) await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Enter');
  const from = new Date(Date.parse(map.from) + (place - 1) * map.stepMs).toISOString();
  const to = new Date(Date.parse(map.from) + (place + 2) * map.stepMs).toISOString();
  await page.waitForFunction((hash) => location.hash === hash, `#/boards?${new URLSearchParams({ from, to })}`);
  await page.goto(`${stack.url}#/boards/all_time`);
  await ready();
  await page.getByText('As a table').click();
  expect(await page.locator('.strip tr', { hasText: '95.5' }).count()).toBe(1);
  expect(await faults(page)).toEqual([]);
  const small = await open(browser, { ...phone, timezoneId: 'UTC' });
  await standStill(small.page);
  await small.page.goto(`${stack.url}#/boards/all_time`);
  await ready(small.page);
  const box = (await area(small.page).boundingBox())!;
  await small.page.touchscreen.tap(box.x + ((place + 0.5) / map.columns.length) * box.width, box.y + 20);
  await small.page.waitForFunction(() => location.hash.includes('from='));
  await small.page.getByRole('link', { name: 'pump-7' }).first().waitFor();
  if (process.env.PICTURES) {
    await small.page.screenshot({ path: `${process.env.PICTURES}/phone.png` });
    await page.screenshot({ path: `${process.env.PICTURES}/light.png` });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.getByText('As a table').click();
    await page.screenshot({ path: `${process.env.PICTURES}/dark.png` });
  }
  await small.page.context().close();
  expect([...complaints, ...small.complaints]).toEqual([]);
});
