/* The whole of it: devices, broker, collector, database, httpapi, and the page in a browser. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { begin, desktop, faults, open, phone, type Watched } from './browser';
import { type Stack, until } from './stack';

const FLEET = 15;
const MINUTE_MS = 5000; /* the past minute of these tests */
const settings = { INTERVALS: 'past_minute=5s,past_hour=1h,all_time' };
const fleet = { args: ['--num-devices', String(FLEET), '--interval', '100ms..400ms', '--seq'] };

let stack: Stack;
let browser: Browser;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  [stack, browser] = await begin(settings);
  await stack.start('devicesim', fleet);
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

beforeEach(async () => {
  ({ page, complaints } = await open(browser));
});

/* No error in the console, no breach of the policy, in any test but those that switch something off. */
let mayComplain = false;
afterEach(async () => {
  await page.context().close();
  const heard = complaints;
  const isAllowed = mayComplain;
  mayComplain = false;
  expect(isAllowed ? [] : heard).toEqual([]);
});

const go = async (hash: string, on: Page = page) => {
  await on.goto(`${stack.url}${hash}`);
};
const leader = (feature: string) =>
  page.locator(`section.board:has(h2:text-is("${feature}")) tbody tr:first-child .device a`);
const shows = (text: string) => page.getByText(text, { exact: false }).first().waitFor();
const isGone = (text: string) => page.getByText(text, { exact: false }).first().waitFor({ state: 'detached' });
const now = () => new Date().toISOString();

const statusCounts = async (on: Page) => {
  const cells = await on.locator('.status-bars tbody tr td:first-of-type').allTextContents();
  return cells.map((text) => Number(text.replaceAll(',', '')));
};

/* Bars are counted anew every half minute: what is looked at then is opened at the start, and left to itself meanwhile. */
const leftAlone = {} as Watched & { counted: number };
const total = async () => (await statusCounts(leftAlone.page)).reduce((sum, count) => sum + count, 0);

beforeAll(async () => {
  await until('it has sent', async () => (await fetch(`${stack.url}devices/device_2`)).ok);
  Object.assign(leftAlone, await open(browser));
  await go('#/device/device_2', leftAlone.page);
  await leftAlone.page.locator('.status-bars').waitFor();
  leftAlone.counted = await total();
});

describe('boards', () => {
  test('a spike that is published appears on top', async () => {
    await go('#/boards/past_hour'); /* a minute of five seconds may be over before it is drawn */
    await leader('Temperature').waitFor();
    for (let i = 1; i <= 5; i++) {
      await stack.publish(`spike-${i}`, { timestamp: now(), status: 'ON', temperature: 1000 + i });
      await page.waitForFunction(
        (device) => document.querySelector('section.board tbody tr .device a')?.textContent === device,
        `spike-${i}`,
        { polling: 'raf' },
      );
    }
  });

  test('are what /dashboard answers', async () => {
    await go('#/boards/all_time');
    await leader('Pressure').waitFor();
    await until('the page shows the same devices', async () => {
      const shown = await page.locator('section.board:has(h2:text-is("Pressure")) .device a').allTextContents();
      const told = await stack.json<Record<string, { deviceId: string }[]>>('dashboard?interval=all_time&features=pressure');
      return JSON.stringify(shown) === JSON.stringify(told.pressure!.map((one) => one.deviceId));
    });
  });

  test('the interval is chosen by keyboard, stands in the URL, and back goes back', async () => {
    await go('#/');
    await page.getByRole('radio', { name: 'Past minute' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.waitForURL(/#\/boards\/past_hour$/);
    await page.getByRole('heading', { name: 'Highest in the past hour' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Highest in the past minute' }).waitFor();
  });

  test('the spike of last night is two clicks away, and its history one more', async () => {
    const at = new Date();
    at.setHours(-2, 15, 30, 0); /* yesterday, in the zone that the browser has, too */
    await stack.publish('night-owl', { timestamp: at.toISOString(), status: 'ON', temperature: 4321.5 });
    await until('it is stored', async () => (await fetch(`${stack.url}devices/night-owl`)).ok);
    await go('#/');
    await leader('Temperature').waitFor();
    await page.getByText('Earlier').click();
    await page.getByRole('button', { name: 'Last night' }).click();
    await page.getByRole('heading', { name: 'Highest last night' }).waitFor();
    await page.locator('section.board tbody tr .age time', { hasText: '22:15:30' }).first().waitFor();
    await page.reload(); /* all of it stands in the URL */
    await page.getByRole('heading', { name: 'Highest last night' }).waitFor();
    await page.getByRole('link', { name: 'night-owl' }).first().click();
    await page.getByRole('heading', { name: 'night-owl' }).waitFor();
    await page.goBack();
    await page.getByRole('button', { name: 'Back to live' }).click();
    await page.getByRole('heading', { name: 'Highest in the past minute' }).waitFor();
    await leader('Temperature').waitFor();
  });

  test('every view is reached by keyboard alone', async () => {
    await go('#/');
    await leader('Temperature').waitFor();
    for (const name of ['Devices', 'System', 'Boards']) {
      for (let i = 0; i < 120; i++) {
        await page.keyboard.press('Tab');
        if ((await page.evaluate(() => document.activeElement?.textContent)) === name) break;
      }
      await page.keyboard.press('Enter');
      await page.waitForFunction((title) => document.title.startsWith(title), name);
      expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H1');
      await page.evaluate(() => window.getSelection()?.removeAllRanges());
    }
  });
});

describe('a device', () => {
  test('its histograms equal SQL', async () => {
    for (let i = 0; i < 60; i++)
      await stack.publish('counted', {
        timestamp: new Date(Date.now() - i * 1000).toISOString(),
        status: ['ON', 'OFF', 'ACTIVE', 'INACTIVE', 'ON', 'ON'][i % 6],
        temperature: i * i,
      });
    const of = (what: string) =>
      `SELECT ${what} FROM device_readings WHERE device_id = 'counted'`;
    await until('all is stored', async () => (await stack.sql(of('count(*)'))) === '60');
    await go('#/device/counted');
    await page.locator('.status-bars').waitFor();
    const sql = await stack.sql(
      `SELECT string_agg((${of('count(*)')} AND status = s)::text, ',' ORDER BY n)
       FROM unnest(ARRAY['ON','OFF','ACTIVE','INACTIVE']) WITH ORDINALITY x(s, n)`,
    );
    expect((await statusCounts(page)).join(',')).toBe(sql);

    const label = await page.getByRole('img', { name: /^Histogram of temperature/ }).getAttribute('aria-label');
    const [bin, most] = (
      await stack.sql(
        `SELECT width_bucket(temperature, low, high * (1 + 1e-12), 24) - 1, count(*)
         FROM device_readings, (${of('min(temperature) low, max(temperature) high')}) x
         WHERE device_id = 'counted' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1`,
      )
    ).split('|');
    expect(bin).toBe('0');
    expect(label).toBe(
      `Histogram of temperature: 60 readings from 0 to 3,481, most of them (${most}) between 0 and 145.04`,
    );
  });

  test('its history is zoomed into with the mouse, by buttons, and back goes back', async () => {
    await go('#/device/device_1');
    const plot = page.locator('.history .u-over').first();
    const box = (await plot.boundingBox())!;

    await page.mouse.move(box.x + box.width * 0.5, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + 60, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL(/from=.*&to=/);
    const range = new URL(page.url().replace('#/', '')).searchParams;
    const minutes = (Date.parse(range.get('to')!) - Date.parse(range.get('from')!)) / 60_000;
    expect(minutes).toBeGreaterThan(14);
    expect(minutes).toBeLessThan(16);
    await page.getByRole('button', { name: 'Zoom out' }).click();
    await page.goBack();
    await page.goBack();
    await page.waitForURL(/#\/device\/device_1$/);
    await shows('drag across the plot');
  });

  test('a peak survives however much is condensed', async () => {
    const from = Date.now() - 3_000_000;
    const readings = Array.from({ length: 4000 }, (_, i) => ({
      timestamp: new Date(from + i * 500).toISOString(),
      temperature: i === 1234 ? 777.5 : 20 + (i % 10),
    }));

    await stack.publishRaw('devices/peaky/readings', JSON.stringify(readings));
    await until('it is stored', async () => (await stack.sql("SELECT count(*) FROM device_readings WHERE device_id = 'peaky'")) === '4000');
    await go('#/device/peaky');
    const label = await page.getByRole('img', { name: /^Temperature over time/ }).getAttribute('aria-label');
    expect(label).toContain('Between 20 and 777.5');
  });

  test('that never was is said to be none', async () => {
    mayComplain = true; /* of the 404 */
    await go('#/device/nobody');
    await shows('No such device');
    expect(complaints.every((text) => text.includes('404'))).toBe(true);
  });

  test('any id has its page', async () => {
    const id = 'Gerät 7 (süd) %41?&<b>';
    await stack.publishRaw(`devices/${id}/readings`, JSON.stringify({ timestamp: now(), temperature: 2000 }));
    await go('#/boards/past_hour'); /* a minute of five seconds may be over before the page is there */
    await page.getByRole('link', { name: id }).click();
    await page.getByRole('heading', { level: 1, name: id }).waitFor();
    await page.locator('.status-bars').waitFor();
  });
});

describe('the table of devices', () => {
  const ids = () => page.getByRole('rowheader').allTextContents();
  const heardAgo = async (id: string) =>
    Date.now() - Date.parse((await page.getByRole('row', { name: id }).locator('time').first().getAttribute('datetime'))!);

  test('counts as people do, and its ages start again with each reading', async () => {
    await go('#/devices?q=device_');
    await page.getByRole('link', { name: 'device_15' }).waitFor();
    expect((await ids()).slice(0, 3)).toEqual(['device_1', 'device_2', 'device_3']);
    const first = Date.now() - (await heardAgo('device_7'));
    await until('the row has heard of it since', async () => Date.now() - (await heardAgo('device_7')) > first + 3000);
  });

  test('a device all of whose messages are rejected is there', async () => {
    await stack.publishRaw('devices/all wrong/readings', 'nope');
    await go('#/devices');
    await page.locator('label:has-text("Refused")').click();
    await page.getByRole('link', { name: 'all wrong' }).waitFor();
    expect(page.url()).toContain('status=refused');
    expect(await faults(page)).toEqual([]);
    await page.getByRole('link', { name: 'all wrong' }).click();
    await shows('all its messages were rejected');
  });

  test('a slow clock is told from silence; a click orders by it', async () => {
    await stack.publishRaw('devices/slow clock/readings', JSON.stringify({ timestamp: new Date(Date.now() - 100 * 3_600_000).toISOString(), temperature: 1 }));
    await go('#/devices');
    await page.getByRole('button', { name: 'Clock' }).click();
    await page.locator('tbody tr:first-child', { hasText: 'slow clock' }).filter({ hasText: '4 d 4 h behind' }).waitFor();
    expect(page.url()).toContain('sort=clockOffsetMs');
    expect(await page.getByRole('columnheader', { name: 'Clock' }).getAttribute('aria-sort')).toBe('ascending');
    expect(await heardAgo('slow clock')).toBeLessThan(3_600_000);
    await page.getByRole('button', { name: 'Clock' }).click();
    await until('it is the last', async () => (await ids()).at(-1) === 'slow clock');
    await page.goBack();
    await until('and the first again', async () => (await ids())[0] === 'slow clock');
  });
});

describe('devices, 100,000 of them', () => {
  beforeAll(async () => {
    await stack.sql(
      "INSERT INTO devices (device_id) SELECT 'fleet_' || lpad(n::text, 6, '0') FROM generate_series(1, 100000) n",
    );
  });

  test('are paged', async () => {
    await go('#/devices?q=fleet_');
    await page.getByRole('link', { name: 'fleet_000001' }).waitFor();
    await page.getByRole('link', { name: 'Next 50' }).click();
    await page.getByRole('link', { name: 'fleet_000051' }).waitFor();
    expect(await page.getByRole('rowheader').count()).toBe(50);
    await page.getByRole('link', { name: 'Previous 50' }).click();
    await page.getByRole('link', { name: 'fleet_000001' }).waitFor();
  });

  test('are found as one types', async () => {
    await go('#/devices');
    await page.getByRole('searchbox').pressSequentially('EET_0999', { delay: 20 });
    const from = Date.now();
    await page.getByRole('link', { name: 'fleet_099900' }).waitFor();
    console.log(`one of 100,000 is found ${Date.now() - from} ms after the last letter`);
    await page.getByRole('searchbox').fill('no such thing');
    await shows('No device has “no such thing” in its id or label');
  });
});

test('a device that nobody touched has gone on by itself', async () => {
  await until('more readings are counted', async () => (await total()) > leftAlone.counted);
  expect(leftAlone.complaints).toEqual([]);
  await leftAlone.page.context().close();
});

describe('the system', () => {
  test('its counts are those of the collector', async () => {
    await stack.publishRaw('devices/bad/readings', '{"temperature":"warm"}');
    await go('#/system');
    await until('the page counts what /collectors counts', async () => {
      const { collectors } = await stack.json<{ collectors: { rejected: number }[] }>('collectors');
      const shown = await page.locator('.tile:has(h2:text-is("Rejected")) .big').textContent();
      return collectors[0]!.rejected > 0 && shown === String(collectors[0]!.rejected);
    });
    await shows('wrong type');
    await page.getByRole('img', { name: /^Readings per second/ }).waitFor();
    await page.locator('.tile:has(h2:text-is("Publish to page")) .big:has-text("ms")').waitFor();
  });
});

describe('everybody', () => {
  const views = ['#/', '#/boards?from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z', '#/device/device_1', '#/devices', '#/system', '#/devices?q=nothing', '#/nowhere'];

  test.each([
    ['light', 'desktop', desktop],
    ['dark', 'desktop', desktop],
    ['light', 'phone', phone],
    ['dark', 'phone', phone],
  ] as const)('axe finds nothing in %s on the %s, and nothing is wider than the screen', async (colorScheme, _, device) => {
    const opened = await open(browser, { ...device, colorScheme, reducedMotion: 'reduce' });

    for (const view of views) {
      await opened.page.goto('about:blank');
      await go(view, opened.page);
      await opened.page.locator('h1').waitFor();
      await opened.page.locator('.link-live').waitFor();
      await opened.page.locator('.loading').first().waitFor({ state: 'detached' });
      await opened.page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = true)));
      expect(await faults(opened.page), view).toEqual([]);
    }
    expect(opened.complaints).toEqual([]);
    await opened.page.context().close();
  });
});

describe('where a token is asked for', () => {
  test('all of it works with one as the password, events too', async () => {
    const home = mkdtempSync(join(tmpdir(), 'highwater-token-'));
    const file = join(home, 'tokens');
    const password = 'a-token-of-this-test';

    writeFileSync(file, `page,read,events,metrics ${password}\n`, { mode: 0o600 });
    await stack.stop('httpapi');
    await stack.start('httpapi', { settings: { ...settings, TOKEN_FILE: file } });
    const opened = await open(browser, { ...desktop, httpCredentials: { username: 'anna', password } });
    await go('#/', opened.page);
    await opened.page.locator('section.board:has(h2:text-is("Temperature")) tbody tr:first-child .device a').waitFor();
    await go('#/devices', opened.page);
    await opened.page.getByRole('rowheader').first().waitFor();
    await go('#/system', opened.page);
    await opened.page.getByText('Requests', { exact: false }).first().waitFor();
    await opened.page.context().close();
    expect((await fetch(stack.url)).status).toBe(401);
    await stack.stop('httpapi');
    await stack.start('httpapi', { settings });
    rmSync(home, { recursive: true });
  });
});

describe('when something goes away', () => {
  test('httpapi: it is said, the boards stay, and all heals when it is back', async () => {
    mayComplain = true;
    await go('#/boards/past_hour');
    await leader('Temperature').waitFor();
    await stack.stop('httpapi');
    await shows('Connection lost');
    await shows('Reconnecting');
    expect(await page.locator('section.board tbody tr').count()).toBeGreaterThan(0);
    await stack.start('httpapi', { settings });
    const from = Date.now();
    await isGone('Connection lost');
    console.log(`live again ${Date.now() - from} ms after httpapi`);
    await stack.publish('after', { timestamp: now(), temperature: 5000 });
    await leader('Temperature').filter({ hasText: /^after$/ }).waitFor();
    expect(complaints.filter((text) => !/ERR_|Failed to load/.test(text))).toEqual([]);
  });

  test('httpapi, without a word: silence is noticed', async () => {
    mayComplain = true;
    await go('#/');
    await leader('Temperature').waitFor();
    await stack.freeze('httpapi');
    await shows('Connection lost');
    await stack.thaw('httpapi');
    await isGone('Connection lost');
  });

  test('the database: questions say so and are asked again', async () => {
    mayComplain = true;
    await go('#/devices');
    await page.getByRole('rowheader').first().waitFor();
    await stack.stopPostgres();
    await page.getByRole('link', { name: 'device_1', exact: true }).click();
    await shows('Not possible right now');
    await stack.startPostgres();
    await page.locator('.status-bars').waitFor();
    await isGone('Not possible right now');
  });

  test('the fleet: the past minute empties', async () => {
    await go('#/');
    await leader('Temperature').waitFor();
    await stack.stop('devicesim');
    const from = Date.now();
    await shows('No reading in the past minute');
    console.log(`empty ${Date.now() - from} ms after the fleet has stopped; the interval is ${MINUTE_MS} ms`);
    expect(await page.locator('section.board tbody tr').count()).toBe(0);
    await page.getByRole('button', { name: 'Look at: past hour' }).click();
    await leader('Temperature').waitFor();
  });
});
