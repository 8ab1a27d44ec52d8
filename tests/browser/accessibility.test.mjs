// The main pages in light and dark, wide and narrow, by axe-core's rules for WCAG 2.2 AA; and what only a keyboard does.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { openBrowser, openPage, signIn, watched } from './browser.mjs';
import { NodePanel } from './harness.mjs';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const QUIET = `/bin/sh -c 'echo ready; while read line; do echo "$line"; done'`;

let nodepanel;
let browser;
let server;
before(async () => {
  nodepanel = await NodePanel.start();
  browser = await openBrowser();
  server = await nodepanel.serverRunning('Quiet', QUIET);
});
after(async () => {
  await browser?.close();
  await nodepanel?.stop();
});

const VIEWS = [
  { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
];

for (const view of VIEWS) {
  const name = `${view.colorScheme}, ${view.viewport.width} px`;
  test(`the pages are accessible (${name})`, async () => {
    const { page, mistakes } = await openPage(browser, nodepanel.url, view);
    await watched(page, `accessibility-${view.colorScheme}-${view.viewport.width}`, async () => {
      await page.goto('/sign-in');
      await page.getByLabel('E-mail').waitFor();
      await check(page, 'sign-in');
      await signIn(page);
      await page.getByRole('link', { name: 'Quiet' }).first().waitFor();
      await check(page, 'servers');
      for (const [path, sign] of [
        [`/servers/${server.id}`, page.getByText('Live', { exact: true })],
        [`/servers/${server.id}/graphs`, page.getByRole('heading', { name: 'CPU' })],
        [`/servers/${server.id}/activity`, page.getByRole('cell').first()],
        [`/servers/${server.id}/settings`, page.getByRole('heading', { name: 'General' })],
        ['/servers/new', page.getByRole('button', { name: /^Any command/ })],
        ['/account', page.getByRole('heading', { name: 'API keys' })],
        ['/admin', page.getByText('Servers running')],
        ['/admin/components', page.getByRole('heading', { name: 'What NodePanel did by itself' })],
        ['/admin/nodes', page.getByText('Online').first()],
        ['/admin/users', page.getByText('(you)')],
        ['/admin/templates', page.getByRole('link', { name: 'Any command' })],
      ]) {
        await page.goto(path);
        await sign.waitFor();
        await check(page, path);
      }
    });
    assert.deepEqual(mistakes, []);
  });
}

test('the palette leads by keyboard from anywhere to a server', async () => {
  const { page } = await openPage(browser, nodepanel.url);
  await watched(page, 'palette', async () => {
    await signIn(page);
    await page.keyboard.press('Control+k');
    await page.getByRole('searchbox', { name: /Find servers/ }).waitFor();
    await page.keyboard.type('quiet console');
    await page.getByRole('menuitem', { name: /Quiet/ }).first().waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Quiet' }).waitFor();
  });
});

/** Fails with the rules that the page breaks, and where. */
async function check(page, where) {
  // Evaluated by the debugger, so the page's content security policy stays as it is.
  await page.evaluate(AXE);
  const found = await page.evaluate(
    (rules) => window.axe.run(document, { runOnly: { type: 'tag', values: rules }, resultTypes: ['violations'] }),
    RULES,
  );
  const words = found.violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.slice(0, 3).map(({ html }) => html).join('\n  ')}`);
  assert.deepEqual(words, [], `accessibility of ${where}`);
}
