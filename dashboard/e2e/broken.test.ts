/* What is wrong, on the screen: of each broken state the sentence in the head of every view, held against what is so. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { begin, desktop, faults, open, phone } from './browser';
import { type Stack, until } from './stack';

const settings = { INTERVALS: 'past_hour=1h,all_time' }; /* no board is empty when what it says is over: that is a notice, too */
const VIEWS = ['#/', '#/devices', '#/device/steady', '#/system'];

let stack: Stack;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  [stack, browser] = await begin(settings);
  await stack.publish('steady', { temperature: 1 });
  await until('it is stored', async () => (await counted()) === '1');
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

beforeEach(async () => {
  ({ page } = await open(browser));
  await go('#/');
  await page.locator('.link-live').waitFor();
});

afterEach(async () => {
  await page.context().close();
});

const go = (view: string) => page.goto(`${stack.url}${view}`);
const counted = () => stack.sql('SELECT count(*) FROM device_readings');
const notice = () => page.locator('main > .notice').first();
const mark = () => page.locator('header.top .link-state');
const asOf = async () => Date.parse((await page.locator('.source time').getAttribute('datetime'))!);

/** On every view the title stands in the head, and beside it all that is said of it. */
async function isToldEverywhere(title: string, ...sentences: (string | RegExp)[]): Promise<string> {
  let told = '';

  for (const view of VIEWS) {
    await page.evaluate((hash) => {
      window.location.hash = hash;
    }, view);
    await mark().getByText(title).waitFor();
    for (const sentence of sentences) await notice().getByText(sentence).waitFor();
    told = await notice().innerText();
    expect(await mark().innerText()).not.toContain('Live');
  }
  await page.evaluate(() => {
    window.location.hash = '#/';
  });
  return told;
}

const isLiveAgain = async () => {
  await page.locator('.link-live').waitFor();
  expect(await page.locator('main > .notice').count()).toBe(0);
};

test('the collector is stopped: what is sent waits at the broker, as it says', async () => {
  await stack.stop('collector');
  await isToldEverywhere('The collector was stopped', 'Nothing is stored.', 'Readings wait at the broker', 'The boards come from the database', /Start it again: "[^"]+" ended in order/);
  await page.getByText(', from the database').waitFor();
  const before = Number(await counted());
  await stack.publish('steady', { temperature: 2 });
  expect(Number(await counted())).toBe(before);
  await stack.start('collector', { settings });
  await isLiveAgain();
  await until('what waited is stored', async () => Number(await counted()) === before + 1);
});

test('the collector is killed: nobody says that it was stopped', async () => {
  await stack.kill('collector');
  const told = await isToldEverywhere('The collector ended unexpectedly', 'Nothing is stored.', 'Readings wait at the broker', 'the end of the log');
  expect(told).not.toContain('was stopped');
  await go('#/system');
  await page.getByText('No collector says now what it has rejected').waitFor();
  expect(await page.getByText('Nothing was rejected').count()).toBe(0);
  await stack.start('collector', { settings });
  await isLiveAgain();
});

test.each([
  ['light', 'desktop', desktop],
  ['dark', 'phone', phone],
] as const)('in %s on the %s it can be read by everybody', async (colorScheme, _, device) => {
  const opened = await open(browser, { ...device, colorScheme, reducedMotion: 'reduce' });

  await stack.stop('collector');
  for (const view of VIEWS) {
    await opened.page.goto('about:blank');
    await opened.page.goto(`${stack.url}${view}`);
    await opened.page.locator('main > .notice').waitFor();
    await opened.page.locator('.loading').first().waitFor({ state: 'detached' });
    if (process.env.PICTURES) await opened.page.screenshot({ path: `${process.env.PICTURES}/${colorScheme}${view.replaceAll(/\W/g, '_')}.png` });
    expect(await faults(opened.page), view).toEqual([]);
  }
  await opened.page.context().close();
  await stack.start('collector', { settings });
  await isLiveAgain();
});

test('the collector hangs', async () => {
  await stack.freeze('collector');
  await isToldEverywhere('The collector is silent', 'See whether');
  await stack.thaw('collector');
  await isLiveAgain();
});

test('the broker is away: nothing is claimed of the collector', async () => {
  await stack.stopBroker();
  const told = await isToldEverywhere('The broker is away', 'devices cannot deliver', 'Start the broker');
  expect(told).not.toMatch(/collector/i);
  await page.getByText(', from the database').waitFor();
  await notice().getByText('The boards come from the database').waitFor();
  await go('#/system');
  await page.getByText('Nothing is heard of it without the broker').waitFor();
  await stack.startBroker();
  await isLiveAgain();
});

test('the database is away: the as-of stands still, what is published waits, the age goes on', async () => {
  await stack.stopPostgres();
  await isToldEverywhere('The database is away', 'stand still', 'Readings wait at the broker', 'Start PostgreSQL');
  await page.getByText(', from memory').waitFor();
  const published = Date.now();
  await stack.publish('steady', { temperature: 3 });
  const stood = await asOf();
  const age = () => mark().locator('.moment').innerText();
  const first = await age();
  await until('the age goes on', async () => (await age()) !== first);
  expect(await asOf()).toBe(stood);
  expect(stood).toBeLessThan(published);
  await stack.startPostgres();
  await isLiveAgain();
  await until('as-of goes on', async () => (await asOf()) > published);
});

test('httpapi is gone: the page does not know what is stored, and says so', async () => {
  await stack.stop('httpapi');
  await isToldEverywhere('Reconnecting', 'Connection lost', 'whether readings are stored is not known here', /Is httpapi running at/);
  await stack.start('httpapi', { settings });
  await isLiveAgain();
});
