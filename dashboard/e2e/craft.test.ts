/* What holds for every view: read from right to left, on paper, on a wall, in the colours one chose, standing still. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { begin, desktop, faults, open, phone } from './browser';
import { sendPast } from './past';
import { type Stack, until } from './stack';

/* boards which still have everything at the end; the one with the long id is beyond */
const settings = { INTERVALS: 'past_hour=1h,all_time', THRESHOLDS: 'pressure>899' };
const HEBREW = 'מד-לחץ-צפוני-בניין-ארבע-42';
const VIEWS = ['#/', '#/device/pump-1', `#/device/${encodeURIComponent(HEBREW)}`, '#/devices', '#/compare?device=pump-1&device=pump-2', '#/system', '#/rejected', '#/thresholds'];

let stack: Stack;
let browser: Browser;

beforeAll(async () => {
  [stack, browser] = await begin(settings);
  const fleet = await sendPast(stack, 3, 1);
  fleet.stop();
  await stack.publishRaw(`devices/${HEBREW}/readings`, '{"temperature":"חם"}');
  for (let i = 0; i < 3; i++)
    await stack.publish(HEBREW, { timestamp: new Date(Date.now() - i * 60_000).toISOString(), status: 'ON', temperature: -500 + i, pressure: 900 });
  await until('all is stored', async () => (await fetch(`${stack.url}devices/${encodeURIComponent(HEBREW)}`)).ok);
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

async function go(page: Page, hash: string): Promise<void> {
  await page.goto('about:blank');
  await page.goto(`${stack.url}${hash}`);
  await page.locator('h1').waitFor();
  await page.locator('.loading').first().waitFor({ state: 'detached' });
}

describe('from right to left', () => {
  test.each([
    ['desktop', desktop],
    ['phone', phone],
  ])('every view is whole on the %s', async (_, device) => {
    const { page, complaints } = await open(browser, device);
    await page.addInitScript(() => addEventListener('DOMContentLoaded', () => (document.documentElement.dir = 'rtl')));
    for (const view of VIEWS) {
      await go(page, view);
      expect(await faults(page), view).toEqual([]);
      /* nothing sticks out to the left, where a page that is read so would not let one scroll to */
      const out = await page.evaluate(() =>
        [...document.querySelectorAll('main *, header *')].filter((one) => {
          const box = one.getBoundingClientRect();
          return box.width > 1 && (box.left < -1 || box.right > innerWidth + 1) && !one.closest('.scroll, .skip, .u-wrap, .spans form');
        }).map((one) => one.outerHTML.slice(0, 120)),
      );
      expect(out, view).toEqual([]);
    }
    await go(page, '#/');
    const x = async (selector: string) => (await page.locator(selector).first().boundingBox())!.x;
    expect(await x('.brand')).toBeGreaterThan(await x('.top nav'));
    expect(await x('tbody .rank')).toBeGreaterThan(await x('tbody .device'));
    /* "22 s", not "s 22"; found and measured in one go, since rows are drawn anew */
    const places = await page.waitForFunction(() => {
      const text = document.querySelector('tbody .age time')?.firstChild;
      return text && [0, text.textContent!.length - 1].map((at) => {
        const letter = document.createRange();
        letter.setStart(text, at);
        letter.setEnd(text, at + 1);
        return letter.getBoundingClientRect().x;
      });
    });
    const [number, unit] = (await places.jsonValue()) as number[];
    expect(number).toBeLessThan(unit!);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('an id that is cut has its beginning on the right, whichever way the page is read', async () => {
    const { page } = await open(browser, phone);
    await go(page, '#/boards/past_hour');
    const parts = page.locator('.long-id', { hasText: 'מד' }).first().locator('span');
    const [first, last] = [(await parts.nth(0).boundingBox())!, (await parts.nth(1).boundingBox())!];
    expect(first.x).toBeGreaterThan(last.x);
    await page.context().close();
  });
});

describe('colours', () => {
  test('are chosen by keyboard, kept, there before the first drawing, and clean by axe', async () => {
    const { page, complaints } = await open(browser, { ...desktop, colorScheme: 'light' });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await go(page, '#/device/pump-1');
    expect(await ground()).toBe('rgb(244, 246, 247)');
    await page.getByRole('button', { name: 'Colours: system' }).press('Enter');
    await page.getByRole('button', { name: 'Colours: light' }).press('Enter');
    await page.getByRole('button', { name: 'Colours: dark' }).waitFor();
    expect(await ground()).toBe('rgb(13, 18, 21)');
    expect(await faults(page)).toEqual([]);
    await page.route('**/assets/*.js', (route) => route.abort());
    await page.reload();
    expect(await ground()).toBe('rgb(13, 18, 21)'); /* without the script of the page */
    await page.unroute('**/assets/*.js');
    await go(page, '#/system');
    await page.getByRole('button', { name: 'Colours: dark' }).press('Enter');
    expect(await ground()).toBe('rgb(244, 246, 247)');
    expect(complaints.filter((text) => !text.includes('ERR_FAILED'))).toEqual([]);
    await page.context().close();
  });
});

/* The mark of the page, and what is told, though it leads somewhere, are not counted. */
const pressable = (page: Page) => page.locator(':is(a, button, input, select, summary):visible:not(.brand, td a, th a, .top .beyond)').count();

test('a kiosk has nothing to press, and turns by itself', async () => {
  const { page, complaints } = await open(browser, { ...desktop, colorScheme: 'dark' });
  await go(page, '#/boards/all_time?kiosk=2');
  await page.getByRole('heading', { level: 2, name: 'Temperature' }).waitFor();
  expect(await pressable(page)).toBe(0);
  expect(await page.locator('.link-state').isVisible()).toBe(true);
  expect(await faults(page)).toEqual([]);
  await page.getByRole('heading', { level: 2, name: 'Pressure' }).waitFor();
  expect(await page.getByRole('heading', { level: 2 }).count()).toBe(1);
  expect(complaints).toEqual([]);
  await page.context().close();
});

test('who is beyond a threshold stands on a wall, and on paper, without anything to press', async () => {
  const { page, complaints } = await open(browser, { ...desktop, colorScheme: 'dark' });
  await go(page, '#/thresholds?kiosk');
  await page.getByRole('row', { name: 'Pressure above 899' }).waitFor();
  await page.locator('.top .beyond').waitFor();
  expect(await pressable(page)).toBe(0);
  expect(await faults(page)).toEqual([]);
  await go(page, '#/thresholds');
  await page.getByRole('row', { name: 'Pressure above 899' }).waitFor();
  expect(await pressable(page)).toBeGreaterThan(0);
  await page.emulateMedia({ media: 'print' });
  expect(await pressable(page)).toBe(0);
  expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(255, 255, 255)');
  expect(complaints).toEqual([]);
  await page.context().close();
});

test('on paper there are no controls, and it is dark on white', async () => {
  const { page } = await open(browser, { ...desktop, colorScheme: 'dark' });
  await go(page, '#/device/pump-1');
  await page.emulateMedia({ media: 'print' });
  expect(await page.locator(':is(button:not(.link, .sort), nav, input):visible').count()).toBe(0);
  expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(255, 255, 255)');
  const text = await page.evaluate(() => getComputedStyle(document.body).color);
  expect(text).toBe('rgb(18, 24, 28)');
  expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000);
  await page.context().close();
});

test('the page of a device stands still while it fills', async () => {
  const { page } = await open(browser);
  await page.addInitScript(() => {
    const told = window as unknown as { shift: number };
    told.shift = 0;
    new PerformanceObserver((list) => {
      for (const one of list.getEntries()) told.shift += (one as unknown as { value: number }).value;
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await go(page, '#/device/pump-1');
  await page.locator('.history canvas').nth(1).waitFor();
  await page.locator('.small-plots canvas').nth(1).waitFor();
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100))));
  const shift = await page.evaluate(() => (window as unknown as { shift: number }).shift);
  console.log(`layout shift of the device page: ${shift.toFixed(3)}`);
  expect(shift).toBeLessThan(0.05);
  await page.context().close();
});
