// From the first start to a running server, as a newcomer does it: sign in, choose a game, watch it install and start.
// With NODEPANEL_FAST set the game is a stub that needs no download.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { consoleText, openBrowser, openPage, showConsoleAsText, signIn, watched } from './browser.mjs';
import { NEVER_MS, NodePanel, until } from './harness.mjs';

const FAST = Boolean(process.env.NODEPANEL_FAST);
// Inline, because a game can read nothing but its own directory and the system's programs.
const STUB = `/bin/sh -c 'echo "Stub ready on port $0"; while read -r line; do [ "$line" = stop ] && exit 0; echo "got $line"; done' {{port}}`;
/** npm installs the game from the network. */
const INSTALLED_MS = FAST ? NEVER_MS : 2 * NEVER_MS;

let nodepanel;
let browser;
before(async () => {
  nodepanel = await NodePanel.start();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await nodepanel?.stop();
});

test('a newcomer gets from the sign-in page to a running server and its console', async () => {
  const { page, mistakes } = await openPage(browser, nodepanel.url);
  await watched(page, 'first-server', async () => {
    await signIn(page);
    await page.getByRole('heading', { name: 'No servers yet' }).waitFor();
    await page.getByRole('link', { name: 'Create your first server' }).click();

    await page.getByRole('button', { name: FAST ? /^Any command/ : /^Minecraft/ }).click();
    await page.getByLabel('Memory').waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByLabel('Name').first().fill('Lobby');
    if (FAST) {
      await page.getByLabel('Command').first().fill(STUB);
      await page.getByLabel('Ready when it prints').fill('Stub ready');
      await page.getByLabel('Stop command').fill('stop');
    }
    await page.getByRole('button', { name: 'Create and install' }).click();

    const header = page.locator('header', { has: page.getByRole('heading', { name: 'Lobby' }) });
    await header.getByText('Running', { exact: true }).waitFor({ timeout: INSTALLED_MS });
    await showConsoleAsText(page);
    const ready = FAST ? 'Stub ready on port' : 'Server listening on port';
    await until('the ready line is in the console', async () => ((await consoleText(page)).includes(ready) ? true : undefined));

    await page.getByLabel('Command', { exact: true }).fill('say hello from the panel');
    await page.keyboard.press('Enter');
    await until('the typed command is in the console', async () =>
      (await consoleText(page)).includes('> say hello from the panel') ? true : undefined,
    );

    const start = page.getByRole('button', { name: 'Start', exact: true });
    assert.equal(await start.getAttribute('aria-disabled'), 'true');
    // A hand moves the pointer over other things first; only then is it known to be a pointer.
    await page.mouse.move(5, 5);
    await start.hover();
    await page.getByRole('tooltip').waitFor();

    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await header.getByText('Stopped', { exact: true }).waitFor();
    await page.goto('/servers');
    await page.getByRole('row', { name: /Lobby/ }).getByText('Stopped', { exact: true }).waitFor();
  });
  assert.deepEqual(mistakes, []);
});
