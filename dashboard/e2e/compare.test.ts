/* Devices beside each other: how one comes there, what stands in the URL, what is seen and what its file has. */
import { mkdirSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { begin, desktop, faults, open, phone } from './browser';
import { sendPast } from './past';
import { PATIENCE_MS, type Stack, until } from './stack';

const settings = { INTERVALS: 'past_minute=60s,past_hour=1h,all_time' };
const SHOTS = process.env.SHOTS;

let stack: Stack;
let browser: Browser;

beforeAll(async () => {
  [stack, browser] = await begin(settings);
  (await sendPast(stack, 9, 1)).stop();
  await until('all is stored', async () => (await fetch(`${stack.url}devices/pump-9`)).ok);
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

test('devices are added, removed and read off, by keyboard too; the URL has all of it, the file what is seen', async () => {
  const { page, complaints } = await open(browser);
  const devices = () => new URLSearchParams(new URL(page.url()).hash.split('?')[1]).getAll('device');

  await page.goto(`${stack.url}#/device/pump-1`);
  await page.getByRole('link', { name: 'Compare' }).click();
  await page.getByRole('heading', { name: 'Compare' }).waitFor();
  await page.getByText('Add device').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.type('UMP-2');
  await page.getByText('1 found').waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await until('it is in the URL', () => Promise.resolve(devices().join() === 'pump-1,pump-2'));
  await page.keyboard.press('Escape');
  await page.getByRole('figure').first().waitFor();

  const plot = page.locator('figure:has-text("Temperature")');
  const over = plot.locator('.u-over');
  /* the plot is made anew for another device, and then knows of no pointer that does not move */
  let moves = 0;
  const said = async () => {
    await over.hover({ position: { x: 200 + 20 * (moves++ % 2), y: 50 } });
    return plot.locator('output').allTextContents();
  };
  const value = expect.stringMatching(/^([\d.]+( \(.*\))?|no value)$/) as string;
  await expect.poll(said, { timeout: PATIENCE_MS }).toEqual([expect.stringMatching(/\d\d:\d\d:\d\d$/), value, value]);
  await expect.poll(() => plot.locator('.plot').getAttribute('aria-label'), { timeout: PATIENCE_MS }).toMatch(/pump-1: between .* pump-2: between/);

  /* a part of it, which stands still: its file has the same steps */
  const box = (await over.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.3, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 3 });
  await page.mouse.up();
  await page.waitForURL(/from=/);
  await page.reload();
  await page.locator('figure').first().waitFor();
  const { from, to } = Object.fromEntries(new URLSearchParams(new URL(page.url()).hash.split('?')[1])) as { from: string; to: string };
  const file = async (name: string) => {
    const href = (await page.getByRole('link', { name }).getAttribute('href'))!;
    const answer = await fetch(new URL(href, stack.url));
    expect(answer.headers.get('Content-Disposition')).toMatch(/-pump-1-pump-2-from-/);
    const [head, ...rows] = (await answer.text()).trim().split('\r\n').map((line) => line.split(','));
    return { head: head!, rows };
  };
  const steps = await file('Steps as CSV');
  const asked = await stack.json<{ devices: { points: unknown[] }[] }>(
    `readings?deviceId=pump-1&deviceId=pump-2&from=${from}&to=${to}&points=500`,
  );
  expect(steps.head.slice(0, 4)).toEqual(['timestamp', 'deviceId', 'count', 'temperature_min']);
  expect(steps.rows).toHaveLength(asked.devices.flatMap((one) => one.points).length);
  const readings = await file('Readings as CSV');
  expect(readings.rows).toHaveLength(steps.rows.reduce((sum, row) => sum + Number(row[2]), 0));
  for (const row of readings.rows) expect(row[0]! >= from && row[0]! < to, row[0]).toBe(true);

  await page.getByRole('button', { name: 'Remove pump-1' }).click();
  await until('it is gone from the URL', () => Promise.resolve(devices().join() === 'pump-2'));
  await page.goBack();
  await page.getByRole('button', { name: 'Remove pump-1' }).waitFor();
  expect(complaints).toEqual([]);
  await page.context().close();
});

test('a board is compared with a click; one that is unknown is told', async () => {
  const { page, complaints } = await open(browser);

  await page.goto(`${stack.url}#/boards/past_hour`);
  await page.getByRole('link', { name: 'Compare the devices of Temperature' }).click();
  await page.getByText('8 of 8 devices').waitFor();
  await page.locator('figure:has-text("Temperature") .compared li').nth(7).waitFor();
  await page.getByText('Add device').click();
  await page.getByText('as many as can be told apart').waitFor();
  await page.goto(`${stack.url}#/compare?device=pump-1&device=nobody&span=day`);
  await page.getByText('A device is not known').waitFor();
  await page.locator('figure').first().waitFor();
  await page.goto(`${stack.url}#/compare`);
  await page.getByText('No device is chosen').waitFor();
  expect(await faults(page)).toEqual([]);
  expect(complaints).toEqual([]);
  await page.context().close();
});

test.each([
  ['desktop', 'light', desktop],
  ['phone', 'dark', { ...phone, viewport: { width: 320, height: 740 } }],
] as const)('whole and without a fault on the %s, %s', async (name, colorScheme, device) => {
  const { page, complaints } = await open(browser, { ...device, colorScheme });

  await page.goto(`${stack.url}#/compare?${Array.from({ length: 8 }, (_, i) => `device=pump-${i + 1}`).join('&')}`);
  await page.locator('figure').nth(1).waitFor();
  expect(await faults(page)).toEqual([]);
  if (SHOTS) {
    mkdirSync(SHOTS, { recursive: true });
    if (name === 'desktop') await page.locator('figure .u-over').first().hover();
    await page.screenshot({ path: `${SHOTS}/compare-${name}.png`, fullPage: true });
  }
  await page.getByText('Add device').click();
  await page.getByText('8 devices are as many').waitFor();
  expect(await faults(page)).toEqual([]);
  expect(complaints).toEqual([]);
  await page.context().close();
});
