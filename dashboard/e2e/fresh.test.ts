/* What goes on is asked for from where it got to, and is what one would have been told at once. */
import type { Browser, Response } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { begin, open } from './browser';
import { sendPast } from './past';
import { type Stack, until } from './stack';

const settings = { INTERVALS: 'past_minute=60s,past_hour=1h,all_time' };
const SPIKE = 987.5;

interface Steps {
  from: string;
  to: string;
  stepMs: number;
  points?: { timestamp: string }[];
  devices?: { points: { timestamp: string }[] }[];
}

let stack: Stack;
let browser: Browser;

beforeAll(async () => {
  [stack, browser] = await begin(settings);
  (await sendPast(stack, 2, 2)).stop();
  await until('all is stored', async () => (await fetch(`${stack.url}devices/pump-2`)).ok);
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

interface Answer {
  path: string;
  bytes: number;
  data: Steps;
}

/** The answers to questions about steps, in the order of the questions, which is not that in which they are read here. */
function heed(answers: Promise<Answer | null>[], wanted: RegExp) {
  return (response: Response) => {
    const path = response.url().slice(stack.url.length);
    if (!wanted.test(path)) return;
    answers.push(
      response.body().then(
        (body) => ({ path, bytes: body.length, data: JSON.parse(body.toString()) as Steps }),
        () => null, /* the page is gone */
      ),
    );
  };
}

const pointsAsked = ({ path }: Answer): number => Number(/points=(\d+)$/.exec(path)![1]);

test('plots ask for their last steps only, which are those of the whole, and show what came', async () => {
  const views = [
    { url: '#/device/pump-2', wanted: /^devices\/pump-2\/points\?/ },
    { url: '#/compare?device=pump-1&device=pump-2', wanted: /^readings\?/ },
  ];
  const seen = await Promise.all(
    views.map(async ({ url, wanted }) => {
      const answers: Promise<Answer | null>[] = [];
      const { page, complaints } = await open(browser);
      page.on('response', heed(answers, wanted));
      await page.goto(stack.url + url);
      await page.getByRole('figure').first().waitFor();
      return { page, complaints, answers };
    }),
  );

  await stack.publish('pump-2', { timestamp: new Date().toISOString(), status: 'ON', temperature: SPIKE, pressure: 12 });
  for (const { page, complaints, answers } of seen) {
    const plot = page.locator('figure.history:has-text("Temperature") .plot');
    await until('the plot has it', async () => (await plot.getAttribute('aria-label'))!.includes(String(SPIKE)));
    const pointsOf = ({ points, devices }: Steps) => points ?? devices!.flatMap((one) => one.points);
    let told: Answer[] = [];
    /* the whole once more each minute, which a busy machine may need for this */
    const tailsOf = () => told.slice(1).filter((one) => pointsAsked(one) !== 501);
    await until('it was asked for three times, and one of the last steps was the spike', async () => {
      told = (await Promise.all(answers)).filter((one) => one !== null);
      return told.length >= 3 && tailsOf().some(({ data }) => pointsOf(data).length > 0);
    });
    const whole = told[0]!;
    expect(pointsAsked(whole)).toBe(501);
    const step = whole.data.stepMs;
    const tails = tailsOf();
    for (const { data, bytes } of tails) {
      expect(Date.parse(data.to) - Date.parse(data.from)).toBeLessThan(60_000 + 3 * step);
      expect(data.stepMs).toBe(step);
      expect((Date.parse(data.from) - Date.parse(whole.data.from)) % step).toBe(0);
      expect(bytes).toBeLessThan(whole.bytes / 10);
    }
    /* the same hour, asked for now: its steps are those that were told one by one */
    const last = tails.filter(({ data }) => pointsOf(data).length > 0).at(-1)!.data;
    const params = new URLSearchParams({ from: whole.data.from, to: last.to, points: String((Date.parse(last.to) - Date.parse(whole.data.from)) / step) });
    const now = await stack.json<Steps>(`${whole.path.replace(/[?&]from=.*/, '')}${whole.path.startsWith('readings') ? '&' : '?'}${params}`);
    const since = (of: Steps) => pointsOf(of).filter(({ timestamp }) => timestamp >= last.from);
    expect(since(last).length).toBeGreaterThan(0);
    expect(since(now)).toEqual(since(last));
    expect(complaints).toEqual([]);
    await page.context().close();
  }
});

test('a device that is new on a board has its line before those of all are asked for again', async () => {
  const { page, complaints } = await open(browser);
  const asked: string[] = [];
  const now = Date.now();
  let isHeld = false;

  page.on('request', (request) => asked.push(request.url().slice(stack.url.length)));
  await page.route(/boards\/history\?/, (route) => (isHeld ? undefined : route.continue()));
  await page.goto(`${stack.url}#/boards/past_hour`);
  await page.locator('.ranking td.line svg').first().waitFor();
  isHeld = true; /* from now on those of all do not come */
  const readings = Array.from({ length: 50 }, (_, i) => ({ timestamp: new Date(now - 60_000 * (50 - i)).toISOString(), status: 'ON', temperature: 400 + i, pressure: 1 }));
  await stack.publishRaw('devices/newcomer/readings', JSON.stringify(readings));
  const row = page.locator('section.board', { hasText: 'Temperature' }).locator('tr[data-key="newcomer"]');
  await row.locator('td.line svg').waitFor();
  expect(await row.locator('td.line svg').getAttribute('aria-label')).toBe('lowest 400, highest 449');
  const own = asked.filter((path) => path.startsWith('readings?'));
  expect(own.length).toBeGreaterThan(0);
  expect(own[0]).toMatch(/^readings\?deviceId=newcomer&features=(temperature|pressure)/);
  expect(complaints).toEqual([]);
  await page.context().close();
});
