/* The lines beside the rows of boards, against real servers. */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { begin, desktop, faults, open, phone } from './browser';
import { type Stack, until } from './stack';

const settings = { INTERVALS: 'past_minute=1m,past_hour=1h,all_time', TOP_DEVICES: '10' };
const SPIKE = 173.25;

let stack: Stack;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  [stack, browser] = await begin(settings);
  const now = Date.now();
  await Promise.all(
    Array.from({ length: 12 }, (_, device) => {
      const readings = Array.from({ length: 300 }, (_, i) => ({
        timestamp: new Date(now - 3_540_000 + i * 11_800).toISOString(),
        status: 'ON',
        temperature: Math.round(100 * (40 + 3 * device + 8 * Math.sin(i / (20 + device)) + (i % 7) / 7)) / 100,
        pressure: 1050 + device / 50 + Math.round(10 * Math.cos(i / 40)) / 100,
      }));
      if (device === 4) readings[150]!.temperature = SPIKE;
      return stack.publishRaw(`devices/pump-${device}/readings`, JSON.stringify(readings));
    }),
  );
  ({ page } = await open(browser));
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

const row = (rank: number) => page.locator('section.board').first().locator('tbody tr').nth(rank - 1);
const lines = () => page.locator('.ranking td.line svg').count();

test('each row of the boards has the course of its device, the peak marked, and no row moves for it', async () => {
  await page.goto(`${stack.url}#/boards/past_hour`);
  await row(10).waitFor();
  const before = await row(10).boundingBox();
  await until('20 rows have their lines', async () => (await lines()) === 20);
  expect(await row(10).boundingBox()).toEqual(before);
  expect(await row(1).locator('.device').innerText()).toBe('pump-4');
  expect(await row(1).locator('svg').getAttribute('aria-label')).toMatch(/^lowest [\d.]+, highest 173\.25$/);
  expect(await row(1).locator('.mark').getAttribute('d')).toMatch(/^M[\d.]+ 8h0$/);
  expect(await faults(page)).toEqual([]);
});

test('neighbours on a board differ', async () => {
  const texts = await page.locator('section.board', { hasText: 'Pressure' }).locator('td.value').allInnerTexts();
  expect(texts).toHaveLength(10);
  expect(new Set(texts).size).toBe(10);
});

test('a device page shows one time in all its parts, by name or by two fields', async () => {
  await page.goto(`${stack.url}#/device/pump-4?span=week`);
  await page.getByText(/hours? a step|minutes a step/).waitFor();
  await until('its 300 readings are counted', async () => (await page.locator('.status-bars').innerText()).includes('300'));
  expect(await page.getByRole('link', { name: 'This time as CSV' }).getAttribute('href')).toMatch(/format=csv&from=/);
  await stack.sql('SELECT count(*) FROM tell_storage(0)'); /* which the collector does each minute */
  await page.getByText(/^Readings since .* \(UTC\), kept for ever, about \d+ kB on disk/).waitFor();
  await page.getByText('From, to').click();
  await page.getByLabel('From', { exact: true }).fill('2026-01-01T00:00');
  await page.getByLabel('To, not included').fill('2026-01-02T00:00');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByText('No reading in this time').waitFor();
  await page.getByText('No value in this time.').first().waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'This time as CSV' }).click()]);
  expect(download.suggestedFilename()).toBe('readings-pump-4-from-20260101T000000Z-to-20260102T000000Z.csv');
  expect(await faults(page)).toEqual([]);
  await page.goto(`${stack.url}#/boards/past_hour`);
  await row(10).waitFor();
});

test('times are of the zone of the browser or of UTC, at once in every part, and stay so', async () => {
  const { page: far, complaints } = await open(browser, { ...desktop, viewport: { width: 320, height: 700 }, timezoneId: 'Asia/Kolkata' });
  const [from, to] = ['2026-07-31T20:00:00Z', '2026-07-31T21:00:00Z'];
  await far.goto(`${stack.url}#/device/pump-4?from=${from}&to=${to}`);
  await far.getByText('1 Aug 2026, 01:30:00 to 02:30:00 (Asia/Calcutta)').or(far.getByText('1 Aug 2026, 01:30:00 to 02:30:00 (Asia/Kolkata)')).waitFor();
  await far.getByText('From, to').click();
  expect(await far.getByLabel('From', { exact: true }).inputValue()).toMatch(/^2026-08-01T01:30/);
  expect(await far.locator('.top .zone').innerText()).toMatch(/^(\+5:30|IST)$/); /* all there is room for */
  const heads = await far.locator('.top :is(nav, .zone, .theme)').evaluateAll((all) => all.map((one) => one.getBoundingClientRect()).map(({ top, bottom }) => (top + bottom) / 2));
  expect(heads).toHaveLength(3);
  expect(Math.max(...heads) - Math.min(...heads)).toBeLessThan(10); /* on one line */
  await far.getByRole('button', { name: 'Change to UTC' }).click();
  await far.getByText('31 Jul 2026, 20:00:00 to 21:00:00 (UTC)').waitFor();
  expect(await far.getByLabel('From', { exact: true }).inputValue()).toMatch(/^2026-07-31T20:00/);
  await far.getByText('Time (UTC)').waitFor();
  await far.getByText('From, to').click();
  expect(await faults(far)).toEqual([]);
  await far.goto(`${stack.url}#/boards/past_hour`);
  await far.reload();
  await far.getByText(/^As of \d\d:\d\d:\d\d \(UTC\)/).waitFor();
  await far.getByRole('button', { name: 'Change to local time' }).click();
  await far.getByText(/^As of \d\d:\d\d:\d\d \((GMT\+5:30|IST)\)/).waitFor();
  expect(await faults(far)).toEqual([]);
  if (process.env.LOOK) await far.screenshot({ path: `${process.env.LOOK}/zone.png` });
  expect(complaints).toEqual([]);
  await far.context().close();
});

test('a group has boards of its own, rows say what devices are called, and some are ticked and compared', async () => {
  const say = (device: number, label: string, group: string) =>
    stack.publishRaw(`devices/pump-${device}/about`, JSON.stringify({ label, group }));

  await Promise.all([say(1, 'Old <b>pump</b>', 'Hall “A” & more'), say(3, 'A pump that has a label which no row has room for', 'Hall “A” & more'), say(4, 'Pump', 'Hall B')]);
  await until('their groups are known', async () => (await stack.sql('SELECT count(*) FROM device_abouts')) === '3');
  await page.reload();
  await page.getByRole('link', { name: 'pump-4, Pump', exact: true }).first().waitFor();
  await page.getByRole('combobox', { name: 'Group' }).selectOption('Hall “A” & more');
  await page.getByText('from the database, asked every 3 seconds').waitFor();
  await until('only its devices are there', async () => (await page.locator('section.board').first().locator('tbody tr').count()) === 2);
  expect(new URL(page.url()).hash).toBe(`#/boards/past_hour?${new URLSearchParams({ group: 'Hall “A” & more' })}`);
  await page.getByRole('link', { name: 'pump-1, Old <b>pump</b>' }).first().waitFor();
  await until('they have their lines', async () => (await lines()) === 4);
  expect(await faults(page)).toEqual([]);
  await stack.publishRaw('devices/pump-1/readings', JSON.stringify({ timestamp: new Date().toISOString(), temperature: 999.5 }));
  await until('a new reading comes to its board', async () => (await row(1).locator('.value').innerText()).startsWith('999.5'));

  await page.goto(`${stack.url}#/devices`);
  for (const id of ['pump-3', 'pump-1']) await page.getByRole('checkbox', { name: `Compare ${id}`, exact: true }).check();
  await page.getByRole('combobox', { name: 'Group' }).selectOption('Hall “A” & more');
  await page.getByText('2 found').first().waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Readings as CSV' }).click()]);
  expect(readFileSync((await download.path())!, 'utf8').trim().split('\r\n')).toHaveLength(1 + 601);
  expect(await faults(page)).toEqual([]);
  await page.getByRole('link', { name: 'Compare 2' }).click();
  await page.locator('.compared').getByText('Old <b>pump</b>').waitFor();
  expect(await page.locator('.compared a').allInnerTexts()).toEqual(['pump-3', 'pump-1']);
  await page.goto(`${stack.url}#/boards/past_hour`);
  await row(10).waitFor();
});

test('without the database the rows stay, without lines, and it is said once', async () => {
  await stack.stopPostgres();
  await page.reload();
  await page.getByText('No lines of the past hour').waitFor();
  expect(await page.getByText('No lines of the past hour').count()).toBe(1);
  expect(await lines()).toBe(0);
  expect(await row(1).locator('.device').innerText()).toBe('pump-1');
});

if (process.env.LOOK)
  test('looks', async () => {
    await stack.startPostgres();
    for (const [name, size] of Object.entries({ desktop, phone }))
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page: other } = await open(browser, { ...size, colorScheme });
        await other.goto(`${stack.url}#/boards/past_hour`);
        await other.locator('.ranking td.line svg').first().waitFor({ timeout: 60_000 });
        await other.screenshot({ path: `${process.env.LOOK}/${name}-${colorScheme}.png` });
        await other.goto(`${stack.url}#/boards/past_hour?group=Hall+%E2%80%9CA%E2%80%9D+%26+more`);
        await other.locator('.ranking td.line svg').first().waitFor();
        await other.screenshot({ path: `${process.env.LOOK}/${name}-${colorScheme}-group.png` });
        await other.goto(`${stack.url}#/devices`);
        await other.getByRole('checkbox').first().check();
        await other.screenshot({ path: `${process.env.LOOK}/${name}-${colorScheme}-devices.png` });
        await other.goto(`${stack.url}#/compare?device=pump-1&device=pump-3&device=pump-4`);
        await other.locator('.compared').waitFor();
        await other.screenshot({ path: `${process.env.LOOK}/${name}-${colorScheme}-compare.png` });
        await other.goto(`${stack.url}#/device/pump-4?span=week`);
        await other.getByText(/a step/).waitFor();
        await other.locator('.status-bars').waitFor();
        await other.screenshot({ path: `${process.env.LOOK}/${name}-${colorScheme}-device.png`, fullPage: true });
      }
  });
