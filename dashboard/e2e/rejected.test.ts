/* Rejected messages in a browser: what anybody may have sent is looked at, and does nothing. */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { begin, desktop, faults, open, phone } from './browser';
import { type Stack, until } from './stack';

const settings = { INTERVALS: 'past_minute=1m,all_time' };
const HOSTILE: Record<string, string> = {
  html: '<img src=x onerror="document.title=1"><script>document.title=2</script>',
  terminal: '\u001b[2J\u001b]0;pwned\u0007',
  directions: '{"name": "\u202egnp.exe\u2066"',
  nul: 'a\u0000b',
  long: 'x'.repeat(262_144),
  lines: '{\n\t"a": NaN\n}',
};

let stack: Stack;
let browser: Browser;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  [stack, browser] = await begin(settings);
  for (const [name, payload] of Object.entries(HOSTILE)) await stack.publishRaw(`devices/${name}/readings`, payload);
  for (let i = 0; i < 60; i++) await stack.publish(`old_${i}`, {});
  await until('all are rejected', async () => (await kept()) === Object.keys(HOSTILE).length + 60);
  await stack.sql(
    "INSERT INTO rejected_messages (received_at, topic, device_id, payload, reason, detail) SELECT now() - n * interval '1 hour', E'a\\u202e/b', NULL," +
      " '\\xff00b0', CASE n % 3 WHEN 0 THEN 'invalid_utf8' ELSE 'wrong_type' END, 'byte 1' FROM generate_series(1, 200) n, generate_series(1, 1 + n % 7)",
  );
  await stack.sql("UPDATE rejected_messages SET received_at = received_at - interval '90 minutes' WHERE device_id LIKE 'old%'");
  ({ page, complaints } = await open(browser));
  await page.goto(`${stack.url}#/rejected`);
  await page.locator('.rejected tbody tr').first().waitFor();
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

const kept = async () => Number(await stack.sql('SELECT count(*) FROM rejected_messages'));
const rowOf = (device: string) => page.locator('.rejected tbody tr').filter({ has: page.getByRole('link', { name: device, exact: true }) });

test('hostile payloads are shown, and do nothing', async () => {
  const shown: Record<string, string> = {
    html: HOSTILE.html!,
    terminal: '\\u{1b}[2J\\u{1b}]0;pwned\\u{7}',
    directions: '{"name": "\\u{202e}gnp.exe\\u{2066}"',
    nul: 'a\\u{0}b',
    long: 'x'.repeat(2000),
    lines: HOSTILE.lines!,
  };
  for (const [device, text] of Object.entries(shown)) {
    await rowOf(device).locator('summary').click();
    await rowOf(device).locator('pre').waitFor();
    expect(await rowOf(device).locator('pre').textContent(), device).toBe(text);
  }
  await rowOf('long').getByText('262,144 bytes, of which these are the first 2,000').waitFor();
  await page.getByRole('img', { name: /most of them/ }).waitFor();
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/rejected-open.png`, fullPage: true });
  expect(await page.title()).toBe('Rejected · Highwater');
  expect(complaints).toEqual([]);
});

test('they come as they are rejected, until one pauses', async () => {
  await stack.publishRaw('devices/tail/readings', 'the newest');
  await rowOf('tail').getByText('the newest').waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  await stack.publishRaw('devices/unseen/readings', 'while paused');
  await until('it is kept', async () => (await stack.sql("SELECT count(*) FROM rejected_messages WHERE device_id = 'unseen'")) === '1');
  await page.waitForResponse((response) => response.url().includes('/rejected/counts'));
  expect(await rowOf('unseen').count()).toBe(0);
  await page.getByRole('button', { name: 'Go on' }).click();
  await rowOf('unseen').waitFor();
});

test('a chip, a device, the pages: each is what the table has', async () => {
  const shown = async () => page.locator('.rejected tbody tr').count();
  await page.getByText(/^no value 60$/).click();
  await page.getByText('Do: ').first().waitFor();
  await until('fifty', async () => (await shown()) === 50);
  await page.getByRole('link', { name: '50 before these' }).click();
  await until('the other ten', async () => (await shown()) === 10);
  await page.getByRole('link', { name: 'Newest' }).click();
  await page.getByLabel('Only of the device').fill('old_7');
  await page.keyboard.press('Enter');
  await until('one', async () => (await shown()) === 1);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()]);
  expect(download.suggestedFilename()).toBe('rejected.jsonl');
  const lines = readFileSync(await download.path(), 'utf8').trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { deviceId: string; payload: string }).payload)).toEqual(['{}']);
});

test.each([
  ['light', 'desktop', desktop],
  ['dark', 'phone', phone],
] as const)('in %s on the %s it can be read by everybody', async (colorScheme, name, device) => {
  const opened = await open(browser, { ...device, colorScheme, reducedMotion: 'reduce' });

  for (const view of ['#/rejected', '#/rejected/invalid_utf8', '#/rejected/of_tomorrow?device=nobody']) {
    await opened.page.goto('about:blank');
    await opened.page.goto(`${stack.url}${view}`);
    await opened.page.locator('.hours').waitFor();
    await opened.page.locator('.loading').first().waitFor({ state: 'detached' });
    if (view === '#/rejected/invalid_utf8') await opened.page.locator('summary').first().click();
    if (process.env.PICTURES) await opened.page.screenshot({ path: `${process.env.PICTURES}/${name}${view.replaceAll(/\W/g, '_')}.png` });
    expect(await faults(opened.page), view).toEqual([]);
  }
  expect(opened.complaints).toEqual([]);
  await opened.page.context().close();
});
