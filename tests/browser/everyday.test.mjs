// What people do every day, on one installation: see on a graph when a server crashed and why, complete a command by
// keyboard, and take back what was done to many servers at once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { consoleText, openBrowser, openPage, showConsoleAsText, signIn, watched } from './browser.mjs';
import { NodePanel, until } from './harness.mjs';

/** Says again what is typed, and ends badly when it is told to. */
const TEMPLATE = `format = 1
slug = "parrot"
name = "Parrot"
description = "Says again what it hears."

[[ports]]
name = "game"
protocol = "tcp"

[console]
completions = ["status", "say ", "stare at the sea", "crash"]

[launch]
command = ["/bin/sh", "-c", "echo ready; while read -r line; do [ \\"$line\\" = crash ] && exit 3; echo \\"heard: $line\\"; done"]
console = "pipe"
ready = { line = "ready" }
stop = { signal = "SIGTERM" }
`;

let nodepanel;
let browser;
let api;
let template;
before(async () => {
  nodepanel = await NodePanel.start();
  browser = await openBrowser();
  api = await nodepanel.api();
  template = await api('POST', '/templates', { source: TEMPLATE });
});
after(async () => {
  await browser?.close();
  await nodepanel?.stop();
});

test('a command is completed by keyboard, from the template and from what was typed before', async () => {
  const server = await nodepanel.serverOf(template.id, 'Polly');
  const { page, mistakes } = await openPage(browser, nodepanel.url);
  await watched(page, 'completion', async () => {
    await signIn(page);
    await page.goto(`/servers/${server.id}`);
    await showConsoleAsText(page);
    await page.getByText('Live', { exact: true }).waitFor();
    const input = page.getByRole('combobox', { name: 'Command' });
    const suggestions = page.getByRole('listbox', { name: 'Suggestions' });

    await input.focus();
    await page.keyboard.type('st');
    assert.deepEqual(await suggestions.getByRole('option').allInnerTexts(), ['stare at the sea', 'status']);
    assert.equal(await input.getAttribute('aria-expanded'), 'true');
    // Enter sends what was typed and read, never what is only offered.
    await page.keyboard.press('ArrowUp');
    assert.equal(await activeOption(page), 'status');
    await page.keyboard.press('ArrowUp');
    assert.equal(await activeOption(page), 'stare at the sea');
    await page.keyboard.press('Enter');
    assert.equal(await input.inputValue(), 'stare at the sea');
    assert.doesNotMatch(await consoleText(page), /> stare/);
    await page.keyboard.press('Enter');
    await until('the game heard it', async () => ((await consoleText(page)).includes('heard: stare at the sea') ? true : undefined));

    // Tab takes the nearest, and a beginning such as "say " is typed on.
    await page.keyboard.type('sa');
    await page.keyboard.press('Tab');
    assert.equal(await input.inputValue(), 'say ');
    await page.keyboard.type('hello');
    await page.keyboard.press('Enter');
    await until('the game heard the whole line', async () => ((await consoleText(page)).includes('heard: say hello') ? true : undefined));

    // Escape puts the offer away and leaves what was typed; what was typed before is offered nearest.
    await page.keyboard.type('sa');
    assert.deepEqual(await suggestions.getByRole('option').allInnerTexts(), ['say ', 'say hello']);
    await page.keyboard.press('Escape');
    assert.equal(await suggestions.isVisible(), false);
    assert.equal(await input.inputValue(), 'sa');
    assert.equal(await input.evaluate((element) => element === document.activeElement), true, 'the focus stays in the input');
  });
  assert.deepEqual(mistakes, []);
});

test('a crash is a mark on the time axis of the graphs, and the pointer on it tells what happened', async () => {
  const server = await nodepanel.serverOf(template.id, 'Icarus');
  const { page, mistakes } = await openPage(browser, nodepanel.url);
  await watched(page, 'marks', async () => {
    await signIn(page);
    await page.goto(`/servers/${server.id}`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByLabel('Command', { exact: true }).fill('crash');
    await page.keyboard.press('Enter');
    await until('the crash is known, and the restart', async () => {
      const { items } = await api('GET', `/servers/${server.id}/activity`);
      return items.some(({ kind }) => kind === 'crash') && items.some(({ kind }) => kind === 'restart') ? true : undefined;
    });

    await page.getByRole('link', { name: 'Graphs' }).click();
    const cpu = page.getByRole('region', { name: 'CPU' });
    await until('the crash is drawn at the foot of the graph', async () => ((await hasMark(cpu)) ? true : undefined));

    // The axis ends now: the crash of a moment ago is at its right end. A hand looks for it.
    const told = cpu.locator('.mark-words');
    // The page moves under the pointer when a banner comes or goes.
    const findPlot = () => cpu.locator('.u-over').boundingBox();
    await until('the pointer on the mark tells of the crash', async () => {
      const plot = await findPlot();
      for (let fromRight = 1; fromRight < 30; fromRight += 3) {
        await page.mouse.move(plot.x + plot.width - fromRight, plot.y + plot.height / 2);
        if ((await told.count()) > 0 && /ended by itself|exit|crash/i.test(await told.innerText())) return true;
      }
      return undefined;
    });
    assert.match(await told.innerText(), /Started again after the crash/);
    // Away from it there is nothing to tell.
    const plot = await findPlot();
    await page.mouse.move(plot.x + plot.width / 2, plot.y + plot.height / 2);
    await told.waitFor({ state: 'detached' });

    // The same in words, for those who have no pointer.
    const happened = page.getByRole('region', { name: 'What happened in this time' });
    await happened.getByRole('listitem').filter({ hasText: 'Crash' }).first().waitFor();
  });
  assert.deepEqual(mistakes, []);
});

test('a stop of many servers is taken back', async () => {
  // One after the other: each looks for a free port.
  const servers = [];
  for (const name of ['Castor', 'Pollux']) servers.push(await nodepanel.serverOf(template.id, name));
  const { page, mistakes } = await openPage(browser, nodepanel.url);
  await watched(page, 'undo', async () => {
    await signIn(page);
    for (const { name } of servers) await page.getByRole('row', { name: new RegExp(name) }).getByRole('checkbox').check();
    const chosen = page.getByRole('group', { name: 'Chosen servers' });
    await chosen.getByText('2 servers chosen').waitFor();
    await chosen.getByRole('button', { name: 'Stop 2' }).click();
    await page.getByText('Stop of 2 servers was asked for.').waitFor();
    for (const { name } of servers) await page.getByRole('row', { name: new RegExp(name) }).getByText(/^Stopp(ing|ed)$/).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Start of 2 servers was asked for.').waitFor();
    for (const { name } of servers) await page.getByRole('row', { name: new RegExp(name) }).getByText('Running', { exact: true }).waitFor();
    for (const server of servers) {
      const now = await until(`${server.name} is another run`, async () => {
        const view = await api('GET', `/servers/${server.id}`);
        return view.state === 'running' && view.since !== server.since ? view : undefined;
      });
      assert.equal(now.automatic_restarts, 0, 'it came back because somebody asked');
    }
    // Nothing is left to take back.
    assert.equal(await page.getByRole('button', { name: 'Undo' }).count(), 0);
  });
  assert.deepEqual(mistakes, []);
});

/** The suggestion that arrow keys have reached, as a screen reader is told. */
async function activeOption(page) {
  const id = await page.getByRole('combobox', { name: 'Command' }).getAttribute('aria-activedescendant');
  return page.locator(`[id="${id}"]`).innerText();
}

/** Whether something in the colour of trouble is drawn at the foot of a graph, near its right end. */
async function hasMark(graph) {
  return graph.locator('canvas').evaluate((canvas) => {
    const probe = document.createElement('canvas').getContext('2d');
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--bad').trim();
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(width - 60, height - 50, 60, 50);
    for (let i = 0; i < data.length; i += 4) {
      if (data[i] === red && data[i + 1] === green && data[i + 2] === blue && data[i + 3] === 255) return true;
    }
    return false;
  });
}
