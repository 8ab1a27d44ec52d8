// Every API server is gone for 30 seconds while a form is half filled and a console is open: the pages, the form and the
// console stay, a banner says within two seconds what is going on, and everything resumes by itself.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { appearance, consoleText, openBrowser, openPage, showConsoleAsText, signIn, watched } from './browser.mjs';
import { NodePanel, until } from './harness.mjs';

const OUTAGE_MS = 30_000;
const BANNER_MS = 2_000;
/** Counts for ever, so that a missing line shows. */
const COUNTER = `/bin/sh -c 'echo ready; i=0; while :; do i=$((i+1)); echo "tick $i"; sleep 0.25; done'`;

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

const ticks = (text) => [...text.matchAll(/^tick (\d+)$/gm)].map((match) => Number(match[1]));

test('an outage of 30 seconds takes nothing from the page, the form or the console', async () => {
  const server = await nodepanel.serverRunning('Counter', COUNTER);
  const { page, mistakes } = await openPage(browser, nodepanel.url);
  const { page: form } = await openPageBeside(page);
  let resume;
  await watched(page, 'outage', async () => {
    await signIn(page);
    await page.goto(`/servers/${server.id}`);
    await showConsoleAsText(page);
    await until('the console counts', async () => (ticks(await consoleText(page)).length > 2 ? true : undefined));
    await page.getByLabel('Command', { exact: true }).fill('say half a comm');

    await form.goto(`/servers/${server.id}/settings`);
    const name = form.getByLabel('Name', { exact: true });
    await name.fill('Counter, but with a bet');
    const addresses = [page.url(), form.url()];

    const banners = await Promise.all([page, form].map((each) => appearance(each, '[data-testid="outage"]')));
    const cut = await nodepanel.cutOff();
    resume = cut.resume;
    for (const appeared of banners) {
      const after = (await appeared()) - cut.at;
      assert.ok(after <= BANNER_MS, `the banner came after ${after} ms`);
    }
    assert.match(await page.getByTestId('outage').innerText(), /game servers go on/);

    const last = ticks(await consoleText(page)).at(-1);
    await form.reload();
    await form.getByTestId('outage').waitFor({ timeout: 5_000 });
    assert.equal(await name.inputValue(), 'Counter, but with a bet', 'a reload during the outage loses the form');

    // The outage itself: nothing may change for the worse while it lasts.
    while (Date.now() - cut.at < OUTAGE_MS) {
      assert.deepEqual([page.url(), form.url()], addresses);
      assert.equal(await page.getByLabel('Command', { exact: true }).inputValue(), 'say half a comm');
      assert.equal(await name.inputValue(), 'Counter, but with a bet');
      assert.ok(ticks(await consoleText(page)).includes(last), 'the console was emptied');
      assert.equal(await page.getByLabel('Password').count(), 0, 'the sign-in page must not show');
      await page.waitForTimeout(1_000);
    }

    resume();
    resume = undefined;
    await Promise.all([page, form].map((each) => each.getByTestId('outage').waitFor({ state: 'detached', timeout: 20_000 })));
    await until('the console goes on', async () => {
      const seen = ticks(await consoleText(page));
      return (seen.at(-1) ?? 0) > last + (OUTAGE_MS / 1_000) * 2 ? true : undefined;
    }, 20_000);
    const seen = ticks(await consoleText(page));
    for (let i = 1; i < seen.length; i += 1) assert.equal(seen[i], seen[i - 1] + 1, `the console has a gap before tick ${seen[i]}`);
    assert.match(await consoleText(page), /connection lost at .* lines came meanwhile/);

    assert.equal(await page.getByLabel('Command', { exact: true }).inputValue(), 'say half a comm');
    await form.getByRole('button', { name: 'Save' }).first().click();
    await page.getByRole('heading', { name: 'Counter, but with a bet' }).waitFor({ timeout: 10_000 });
  }).finally(() => resume?.());
  assert.deepEqual(mistakes, []);
});

test('a write made during an outage happens once, when it is over', async () => {
  const server = await nodepanel.serverRunning('Patient', COUNTER);
  const { page } = await openPage(browser, nodepanel.url);
  let resume;
  await watched(page, 'write-in-outage', async () => {
    await signIn(page);
    await page.goto(`/servers/${server.id}`);
    await page.getByText('Live', { exact: true }).waitFor();
    ({ resume } = await nodepanel.cutOff());
    await page.getByTestId('outage').waitFor();
    const stop = page.getByRole('button', { name: 'Stop', exact: true });
    await stop.click();
    await until('the button says that it was heard', async () => ((await stop.getAttribute('aria-busy')) === 'true' ? true : undefined));
    resume();
    resume = undefined;
    await page.locator('header').getByText('Stopped', { exact: true }).waitFor({ timeout: 45_000 });
  }).finally(() => resume?.());
});

/** Another tab of the same person. */
async function openPageBeside(page) {
  const beside = await page.context().newPage();
  beside.setDefaultTimeout(15_000);
  return { page: beside };
}
