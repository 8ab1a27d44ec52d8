// Takes pictures of the panel, to look at it: node dev/look.mjs URL OUT [width] [light|dark].
import { mkdirSync } from 'node:fs';

import { chromium } from 'playwright-core';

const [url = 'http://127.0.0.1:8080', out = '/tmp/look', width = '1280', scheme = 'light'] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
});
const page = await browser.newPage({ viewport: { width: Number(width), height: width === '390' ? 844 : 800 }, colorScheme: scheme, isMobile: width === '390', hasTouch: width === '390' });
page.on('console', (message) => ['error', 'warning'].includes(message.type()) && console.log(`${message.type()}: ${message.text()}`));
page.on('pageerror', (error) => console.log(`page error: ${error.stack}`));
const shot = async (name) => page.screenshot({ path: `${out}/${name}-${width}-${scheme}.png` });

await page.request.delete(`${url}/api/v1/session`);
await page.goto(`${url}/`);
await page.getByLabel('E-mail').fill('admin@example.org');
await page.getByLabel('Password').fill('secret secret');
await shot('01-sign-in');
await page.getByRole('button', { name: 'Sign in' }).click();
await page.getByRole('heading', { name: 'Servers' }).waitFor({ timeout: 5000 });
await page.waitForTimeout(3500);
await shot('02-servers');
await page.keyboard.press('Control+k');
await page.waitForTimeout(600);
await page.keyboard.type('start');
await page.waitForTimeout(400);
await shot('03-palette');
await page.keyboard.press('Escape');
await page.goto(`${url}/servers/new`);
await page.waitForTimeout(800);
await shot('04-create');
await page.getByRole('button', { name: /Minecraft/ }).first().click().catch(() => undefined);
await page.waitForTimeout(500);
await shot('05-create-place');
await page.getByRole('button', { name: 'Next' }).click().catch(() => undefined);
await page.waitForTimeout(300);
await shot('06-create-name');
const servers = await (await page.request.get(`${url}/api/v1/servers?limit=20`)).json();
const of = (state) => servers.items.find((server) => server.state === state) ?? servers.items[0];
await page.goto(`${url}/servers/${of('running').id}`);
await page.waitForTimeout(2500);
await shot('07-console');
for (const [name, tab] of [['08-graphs', 'graphs'], ['09-activity', 'activity'], ['10-settings', 'settings']]) {
  await page.goto(`${url}/servers/${of('running').id}/${tab}`);
  await page.waitForTimeout(1500);
  await shot(name);
}
await page.goto(`${url}/servers/${of('unreachable').id}`);
await page.waitForTimeout(1500);
await shot('11-unreachable');
await page.goto(`${url}/servers/${of('installing').id}`);
await page.waitForTimeout(1500);
await shot('12-installing');
for (const [name, path] of [['13-account', 'account'], ['14-overview', 'admin'], ['15-components', 'admin/components'], ['16-nodes', 'admin/nodes'], ['17-users', 'admin/users'], ['18-templates', 'admin/templates']]) {
  await page.goto(`${url}/${path}`);
  await page.waitForTimeout(900);
  await shot(name);
}
await page.getByRole('link', { name: /Minecraft/ }).first().click();
await page.waitForTimeout(900);
await shot('19-template');
await browser.close();
