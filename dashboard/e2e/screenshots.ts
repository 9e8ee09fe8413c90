/* Pictures of each view and state, to be looked at: build/screenshots. Some of them are in README. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'vitest';
import { desktop, launch, open, phone } from './browser';
import { sendPast } from './past';
import { PATIENCE_MS, Stack } from './stack';

const OUT = fileURLToPath(new URL('../../build/screenshots/', import.meta.url));
const DOCS = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
const PUMPS = 24;
const settings = { FEATURES: 'temperature[°C],pressure[bar]', INTERVALS: 'past_minute=60s,past_hour=1h,all_time', THRESHOLDS: 'temperature>130~5,pressure<8~0.5' };
/* What pumps say of themselves; not all of them do. */
const abouts: Record<string, object> = {
  'pump-1': { label: 'Feed pump', group: 'Boiler house', location: 'behind the second boiler' },
  'pump-2': { label: 'Circulation pump of the second heating circuit, north wing', group: 'Boiler house' },
  'pump-5': { label: 'Condensate', group: 'Boiler house' },
  'pump-9': { label: 'Well 3', group: 'Waterworks', location: { latitude: 52.5163, longitude: 13.3777 } },
  'pump-12': { group: 'Waterworks' },
  'pump-17': { label: 'מד-לחץ צפוני', group: 'Waterworks' },
};
const compared = new URLSearchParams(['pump-1', 'pump-2', 'pump-9'].map((id) => ['device', id])).toString();
/* Twelve numbers of each device, of which a board shows a hundred. */
const wide = [
  'temperature[°C]', 'pressure[kPa]', 'humidity[%]', 'vibration[mm/s]', 'voltage[V]', 'current[A]',
  'power[kW]', 'flow[l/min]', 'level[m]', 'speed[rpm]', 'torque[Nm]', 'noise[dB]',
];
const wideSettings = { ...settings, FEATURES: wide.join(','), NUM_TOP_DEVICES: '100' };
const devices = {
  desktop,
  phone,
  wall: { viewport: { width: 3840, height: 2160 } },
  readme: { viewport: { width: 1200, height: 620 } },
  tall: { viewport: { width: 1200, height: 820 } },
};

/* Debian's own system-ui is made for other things than looking good in a picture: Inter, where it is. */
const fonts = `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include>/etc/fonts/fonts.conf</include>
<match target="pattern"><test name="family"><string>system-ui</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
<alias binding="strong"><family>sans-serif</family><prefer><family>Inter</family></prefer></alias></fontconfig>`;

test('screenshots', async () => {
  const temporary = mkdtempSync(join(tmpdir(), 'highwater-fonts-'));
  mkdirSync(OUT, { recursive: true });
  mkdirSync(DOCS, { recursive: true });
  writeFileSync(join(temporary, 'fonts.conf'), fonts);
  const [first, browser] = await Promise.all([
    Stack.open(),
    launch({ FONTCONFIG_FILE: join(temporary, 'fonts.conf') }),
  ]);

  let stack = first;
  const shoot = async (name: string, hash: string, device: keyof typeof devices, colorScheme: 'light' | 'dark', waitMs = 1500, ready = 'h1') => {
    const { page } = await open(browser, { ...devices[device], colorScheme, reducedMotion: 'reduce' }); /* no row between two places */
    await page.goto(`${stack.url}${hash}`);
    await page.locator(ready).filter({ visible: true }).first().waitFor();
    await page.waitForTimeout(waitMs);
    if (name.startsWith('paper')) await page.emulateMedia({ media: 'print' });
    if (name.startsWith('rtl')) await page.evaluate(() => (document.documentElement.dir = 'rtl'));
    /* rows that are out of sight on a screen are on the picture */
    await page.evaluate(() => {
      document.querySelectorAll<HTMLElement>('.board, .ranking tr').forEach((row) => (row.style.contentVisibility = 'visible'));
      window.dispatchEvent(new Event('beforeprint')); /* and as they are now (src/parts/whenSeen.tsx) */
    });
    const path = join(OUT, `${name}-${colorScheme}-${device}.png`);
    await page.screenshot({ path, fullPage: (device === 'phone' || device === 'desktop') && name !== 'many' });
    await page.context().close();
    return path;
  };

  try {
    await stack.start('httpapi', { settings });
    await stack.start('collector', { settings });
    await stack.ready();
    await shoot('empty', '#/', 'desktop', 'light');
    const fleet = await sendPast(stack, PUMPS, 3, 26);
    for (const [id, about] of Object.entries(abouts)) await stack.publishRaw(`devices/${id}/about`, JSON.stringify(about));

    for (const device of ['desktop', 'phone'] as const) {
      for (const scheme of ['light', 'dark'] as const) {
        await shoot('boards', '#/', device, scheme, 2500, 'tbody tr');
        await shoot('device', '#/device/pump-1', device, scheme, 2000, '.history canvas');
        await shoot('devices', '#/devices', device, scheme, 500, 'tbody tr');
        await shoot('system', '#/system', device, scheme, 6500, 'tbody tr');
        await shoot('rejected', '#/rejected', device, scheme, 1500, 'tbody tr');
        await shoot('beyond', '#/thresholds', device, scheme, 1500, 'tbody tr');
        await shoot('compare', `#/compare?${compared}`, device, scheme, 2000, 'figure canvas');
      }
    }
    await shoot('boards', '#/boards/past_hour', 'wall', 'dark', 1500, 'tbody tr');
    await shoot('kiosk', '#/boards/past_hour?kiosk=temperature', 'wall', 'light', 1500, 'tbody tr');
    await shoot('paper', '#/device/pump-1', 'desktop', 'light', 2000, '.history canvas');
    await shoot('rtl', '#/', 'desktop', 'light', 1500, 'tbody tr');
    await shoot('rtl-beyond', '#/thresholds', 'phone', 'dark', 1500, 'tbody tr');
    await shoot('paper-beyond', '#/thresholds', 'desktop', 'dark', 1500, 'tbody tr');
    await shoot('beyond-kiosk', '#/thresholds?kiosk', 'wall', 'dark', 1500, 'tbody tr');
    await shoot('span', `#/boards?${new URLSearchParams({ from: new Date(Date.now() - 7_200_000).toISOString(), to: new Date(Date.now() - 3_600_000).toISOString() })}`, 'desktop', 'dark', 2000, 'tbody tr');
    await shoot('group', '#/boards/past_hour?group=Boiler+house', 'phone', 'light', 4500, 'tbody tr');
    await shoot('nobody', '#/device/nobody', 'desktop', 'light');
    copyFileSync(await shoot('boards', '#/', 'tall', 'light', 6000, 'tbody tr'), join(DOCS, 'boards.png'));
    copyFileSync(await shoot('device', '#/device/pump-1?span=all', 'readme', 'dark', 2500, '.history canvas'), join(DOCS, 'device.png'));
    copyFileSync(await shoot('devices', '#/devices', 'readme', 'light', 1500, 'tbody tr'), join(DOCS, 'devices.png'));
    fleet.stop();
    await stack.stopBroker();
    await shoot('no-broker', '#/', 'desktop', 'dark', 4500);
    await shoot('no-broker', '#/system', 'phone', 'light', 4500);
    await stack.startBroker();
    await stack.stopPostgres();
    await shoot('no-database', '#/devices', 'desktop', 'light', 4500);
    await stack.startPostgres();
    await stack.stop('collector');
    await shoot('no-collector', '#/', 'desktop', 'light', 4500);
    await shoot('no-collector', '#/system', 'phone', 'dark', 2500);

    const { page } = await open(browser, { ...desktop, colorScheme: 'dark' });
    await page.goto(`${stack.url}#/boards/past_hour`);
    await page.locator('tbody tr').filter({ visible: true }).first().waitFor();
    await stack.stop('httpapi');
    await page.waitForTimeout(2500);
    await page.screenshot({ path: join(OUT, 'lost-dark-desktop.png') });
    await page.context().close();

    await stack.close();
    stack = await Stack.open();
    await stack.start('httpapi', { settings: wideSettings });
    await stack.start('collector', { settings: wideSettings });
    await stack.ready();
    await stack.start('devicesim', {
      args: ['--num-devices', '2000', '--connections', '8', '--interval', '4s..7s', '--features', wide.map((one, i) => `${one}=0..${10 + 90 * i}`).join(',')],
    });
    await shoot('many', '#/', 'desktop', 'dark', 12_000, 'tbody tr');
    await shoot('many', '#/', 'wall', 'light', 3000, 'tbody tr');
    await shoot('many', '#/', 'phone', 'light', 3000, 'tbody tr');
    await shoot('many-devices', '#/devices', 'desktop', 'light', 1000, 'tbody tr');
    await shoot('many-device', '#/device/device_7', 'desktop', 'dark', 2500, '.history canvas');
    await shoot('many-system', '#/system', 'desktop', 'dark', 6500, 'tbody tr');
  } finally {
    await browser.close();
    await stack.close();
    rmSync(temporary, { recursive: true });
  }
}, 10 * PATIENCE_MS);
