/* A headless Chromium of its own, and pages that tell what went wrong in them. */
import axe from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

import { PATIENCE_MS, Stack } from './stack';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export const launch = (env: Record<string, string> = {}): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    env: { ...process.env, ...env } as Record<string, string>,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });

/** Servers, a collector and httpapi, of these settings both, and a browser. */
export async function begin(settings?: Record<string, string>): Promise<[Stack, Browser]> {
  const [stack, browser] = await Promise.all([Stack.open(), launch()]);

  await stack.start('httpapi', { settings });
  await stack.start('collector', { settings });
  await stack.ready();
  return [stack, browser];
}

export const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };
export const phone: BrowserContextOptions = {
  viewport: { width: 360, height: 740 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};

export interface Watched {
  page: Page;
  /** What the console and the page complained of. */
  complaints: string[];
}

export async function open(browser: Browser, options: BrowserContextOptions = desktop): Promise<Watched> {
  const context = await browser.newContext({ timezoneId: 'UTC', locale: 'en-GB', ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints: string[] = [];

  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  return { page, complaints };
}

/** What axe finds on a page, and that it is wider than the screen, if it is. */
export async function faults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source); /* through the debugger: the policy would not let a script in */
  const found = await page.evaluate(async () => {
    const { axe: here } = window as unknown as { axe: typeof axe };
    const result = await here.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return result.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`);
  });
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);

  return wide! > screen! ? [...found, `${wide} pixels on ${screen}`] : found;
}
