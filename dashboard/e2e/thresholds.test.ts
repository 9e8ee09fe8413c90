/* Thresholds on the screen, against a real broker and collector: a crossing, and the way back. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { begin, desktop, faults, open, phone } from './browser';
import { PATIENCE_MS, type Stack, until } from './stack';

const settings = {
  INTERVALS: 'past_hour=1h,all_time', /* what is beyond stays on a board for as long as this takes */
  FEATURES: 'temperature[°C|Outdoor temperature],pressure[bar]',
  LOWEST: '1',
  THRESHOLDS: 'temperature>90~2,pressure<2',
};
const HOT = 'collectors/collector/thresholds/temperature/above/pump-1';
const ODD = '\u0645\u0636\u062e\u0629 "\ud83d\udd25" <b>'; /* right to left, quotes, a tag */

let stack: Stack;
let browser: Browser;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  [stack, browser] = await begin(settings);
  const now = Date.now();
  await Promise.all(
    ['pump-0', 'pump-1', 'pump-2', ODD].map((device, i) => {
      const readings = Array.from({ length: 100 }, (_, n) => ({
        timestamp: new Date(now - 3_000_000 + n * 29_000).toISOString(),
        temperature: 70 + 4 * i + 6 * Math.sin(n / 9),
        pressure: 5 + i,
      }));
      return stack.publishRaw(`devices/${device}/readings`, JSON.stringify(readings));
    }),
  );
  await stack.publishRaw(`devices/${ODD}/about`, JSON.stringify({ label: 'Feed pump', group: 'Boiler house' }));
  await until('its group is known', async () => (await stack.sql('SELECT count(*) FROM device_abouts')) === '1');
  ({ page, complaints } = await open(browser));
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

const say = (device: string, reading: object) => stack.publish(device, { timestamp: new Date().toISOString(), ...reading });
const mark = () => page.locator('.top a.beyond');
const value = (device: string) => page.locator('section.board', { hasText: 'Outdoor temperature' }).getByRole('row', { name: device }).locator('.value');
const retained = async () => Object.keys(await stack.retained('collectors/+/thresholds/#')).sort();
const look = async (on: Page, name: string) => void (process.env.LOOK && (await on.screenshot({ path: `${process.env.LOOK}/${name}.png` })));

test('a device that goes beyond a threshold is counted in the head, red on its board, and retained', async () => {
  await page.goto(`${stack.url}#/boards/past_hour`);
  await value('pump-1').waitFor();
  expect(await value('pump-1').getAttribute('class')).toBe('value');
  expect(await mark().count()).toBe(0);
  await say('pump-1', { temperature: 93.25, pressure: 1.5 });
  await say(ODD, { pressure: 1 });
  await mark().getByText('2 devices with Pressure below 2 bar').waitFor();
  expect(await mark().getAttribute('title')).toBe('2 devices with Pressure below 2 bar\n1 device with Outdoor temperature above 90 °C');
  await until('its value is marked', async () => (await value('pump-1').getAttribute('class')) === 'value beyond above');
  expect(await value('pump-1').textContent()).toMatch(/^93\.250? °C, above 90 °C$/);
  expect(await value('pump-2').getAttribute('class')).toBe('value');
  await until('its line has the threshold', async () => (await page.locator('.line .limit').count()) > 0);
  await expect.poll(retained, { timeout: PATIENCE_MS }).toEqual([`collectors/collector/thresholds/pressure/below/${ODD}`, 'collectors/collector/thresholds/pressure/below/pump-1', HOT].sort());
  expect(JSON.parse((await stack.retained('collectors/+/thresholds/temperature/#'))[HOT]!)).toMatchObject({ deviceId: 'pump-1', above: 90, value: 93.25, unit: '°C' });
  expect(await faults(page)).toEqual([]);
  await mark().click();
  await page.getByRole('heading', { level: 1, name: 'Beyond a threshold' }).waitFor();
  await page.getByText('3 now, by what devices sent last').waitFor();
  await page.getByRole('row', { name: 'pump-1 Outdoor temperature above 90 °C 93.25 °C' }).waitFor();
  await page.getByRole('row', { name: 'Pressure below 2 bar 1.5 bar' }).waitFor();
  expect(await page.locator('main tbody tr').count()).toBe(3);
  expect(await faults(page)).toEqual([]);
  await look(page, 'beyond');
  const found = (text: string) => page.locator('.heading').getByText(`${text}, by what devices sent last`).waitFor();
  await page.getByRole('combobox', { name: 'Group' }).selectOption('Boiler house');
  await found('1 found');
  await page.getByRole('row', { name: /Feed pump Pressure below 2 bar/ }).waitFor();
  expect(await page.locator('main tbody tr').count()).toBe(1);
  await page.getByRole('searchbox').fill('PUMP-1');
  await page.getByText('No device is beyond a threshold that has “PUMP-1” in its id or label, of the group “Boiler house”').waitFor();
  expect(await faults(page)).toEqual([]);
  await page.getByRole('link', { name: 'All devices' }).click();
  await found('3 now');
  await page.getByRole('searchbox').fill('feed');
  await found('1 found');
  expect(new URL(page.url()).hash).toBe('#/thresholds?q=feed');
  await page.reload(); /* all of it stands in the URL */
  await found('1 found');
  await page.getByRole('searchbox').fill('');
  await found('3 now');
  await page.getByRole('group', { name: 'Threshold' }).getByText('Pressure below 2 bar').click();
  await page.getByText('2 now, by what devices sent last').waitFor();
  expect(await page.getByRole('row', { name: /Outdoor temperature/ }).count()).toBe(0);
  await page.getByRole('link', { name: 'Farthest beyond' }).click();
  await page.getByRole('heading', { level: 1, name: 'Lowest in the past hour' }).waitFor();
  await page.locator('.value.beyond.below').first().waitFor();
  expect(await faults(page)).toEqual([]);
  await look(page, 'lowest');
});

test('plots have the threshold by its name, System has it with where it is left, on every screen', async () => {
  const screens = { dark: { ...desktop, colorScheme: 'dark' as const }, small: { ...phone, viewport: { width: 320, height: 700 } }, ...(process.env.LOOK ? { light: desktop, phone } : {}) };
  for (const [name, options] of Object.entries(screens)) {
    const other = await open(browser, options);
    const go = async (hash: string) => other.page.goto(`${stack.url}${hash}`);

    await go('#/device/pump-1');
    await other.page.getByRole('img', { name: /^Outdoor temperature over time\. .* and 93\.25.* Threshold: above 90 °C\.$/ }).waitFor();
    await other.page.locator('.top a.beyond').waitFor();
    expect(await faults(other.page), name).toEqual([]);
    await look(other.page, `device-${name}`);
    await go('#/compare?device=pump-1&device=pump-2');
    await other.page.getByRole('img', { name: /^Outdoor temperature over time\. .* Threshold: above 90 °C\.$/ }).waitFor();
    await look(other.page, `compare-${name}`);
    await go('#/system');
    await other.page.getByRole('row', { name: 'Outdoor temperature above 90 °C at 88 °C or below 1' }).waitFor();
    await other.page.getByRole('row', { name: 'Pressure below 2 bar at 2 bar or above 2' }).waitFor();
    expect(await faults(other.page), name).toEqual([]);
    await other.page.locator('#thresholds-title').scrollIntoViewIfNeeded();
    await look(other.page, `system-${name}`);
    await go('#/boards/past_hour');
    await other.page.locator('.value.beyond').first().waitFor();
    await other.page.locator('.line .limit').first().waitFor({ state: 'attached' });
    if (name === 'small') await other.page.evaluate(() => document.documentElement.setAttribute('dir', 'rtl'));
    expect(await faults(other.page), name).toEqual([]);
    await look(other.page, `boards-${name}`);
    expect(other.complaints).toEqual([]);
    await other.page.context().close();
  }
});

test('below the hysteresis it is back, and not before', async () => {
  await say('pump-1', { temperature: 89 });
  await until('89 is stored', async () => (await stack.sql('SELECT count(*) FROM device_readings WHERE temperature = 89')) === '1');
  await say('pump-1', { pressure: 3 });
  await say(ODD, { pressure: 3 });
  await mark().getByText('1 device with Outdoor temperature above 90 °C').waitFor();
  await expect.poll(retained, { timeout: PATIENCE_MS }).toEqual([HOT]);
  await say('pump-1', { temperature: 87.5 });
  await mark().waitFor({ state: 'detached' });
  await expect.poll(retained, { timeout: PATIENCE_MS }).toEqual([]);
  expect(complaints).toEqual([]);
});
