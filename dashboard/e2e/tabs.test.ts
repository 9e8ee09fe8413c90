/* Many tabs of one browser: what they are to the server, and which of them may go. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';
import { begin, desktop } from './browser';
import { type Stack, until } from './stack';

const TABS = 20;

let stack: Stack;
let browser: Browser;
let context: BrowserContext;
const tabs: Page[] = [];

beforeAll(async () => {
  /* twenty tabs take a while: nothing may have left the boards by then */
  [stack, browser] = await begin({ INTERVALS: 'past_hour=1h' });
  context = await browser.newContext(desktop);
  tabs.push(...(await Promise.all(Array.from({ length: TABS }, () => context.newPage()))));
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

async function streams(): Promise<number> {
  const text = await (await fetch(new URL('metrics', stack.url))).text();
  return Number(/^highwater_httpapi_event_streams (\d+)$/m.exec(text)![1]);
}

const shows = (page: Page, device: string) => page.locator(`.device a[href$="${device}"]`).first().waitFor();

/** Which of the tabs listens. One that others took for hung may have handed over while the tabs were asked in turn. */
async function leading(): Promise<Page> {
  let found: Page | undefined;
  await until('one of the tabs leads', async () => (found = await asked()) !== undefined);
  return found!;
}

async function asked(): Promise<Page | undefined> {
  const leads = () =>
    navigator.locks.request('who am I', async () => {
      const { held = [] } = await navigator.locks.query();
      const own = held.find((one) => one.name === 'who am I')!.clientId;
      return held.some((one) => one.clientId === own && one.mode === 'exclusive' && one.name !== 'who am I');
    });

  for (const tab of tabs) if (await tab.evaluate(leads)) return tab;
  return undefined;
}

test(`${TABS} tabs are one stream; one that hangs or is closed hands over; hidden ones are none`, async () => {
  await stack.publish('first', { temperature: 20, pressure: 1 });
  await Promise.all(tabs.map((tab) => tab.goto(stack.url)));
  await Promise.all(tabs.map((tab) => shows(tab, 'first')));
  await until('there is one stream', async () => (await streams()) === 1);

  const hung = await leading();
  const others = tabs.filter((tab) => tab !== hung);
  const debug = await context.newCDPSession(hung);
  await debug.send('Debugger.enable');
  await debug.send('Debugger.pause');
  void hung.evaluate(() => 0).catch(() => 0); /* something to pause at */
  await stack.publish('second', { temperature: 30, pressure: 1 });
  await Promise.all(others.map((tab) => shows(tab, 'second')));
  await debug.send('Debugger.resume');
  await debug.send('Debugger.disable');
  await shows(hung, 'second');
  await until('there is one stream again', async () => (await streams()) === 1);

  const closed = await leading();
  tabs.splice(tabs.indexOf(closed), 1);
  await closed.close();
  await stack.publish('third', { temperature: 40, pressure: 1 });
  await Promise.all(tabs.map((tab) => shows(tab, 'third')));
  await until('there is one stream still', async () => (await streams()) === 1);

  const see = (tab: Page, state: string) =>
    tab.evaluate((now) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => now });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);
  await Promise.all(tabs.map((tab) => see(tab, 'hidden')));
  await until('there is no stream', async () => (await streams()) === 0);
  await stack.publish('fourth', { temperature: 50, pressure: 1 });
  await see(tabs[0]!, 'visible');
  await shows(tabs[0]!, 'fourth');
  await until('the one that is seen listens', async () => (await streams()) === 1);
});
