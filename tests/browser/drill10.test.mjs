// Drill 10: between the browser and NodePanel a proxy fails in every way that is known, while a form is half filled and a
// console is open. The page, the form and the console stay; a banner says what is going on; what is clicked meanwhile
// happens once; and all goes on by itself when NodePanel can be reached again.
//
// What happened is counted by the games themselves, in files that no part of NodePanel writes.
//
//   NODEPANEL_DRILL10_S       how long each fault lasts at least; short ones when left out, of different lengths
//   NODEPANEL_DRILL10_REPEAT  how often each is tried
//   NODEPANEL_DRILL10_JUDGE   set: the targets in time decide too, not only what people see
//
// Without the last, slowness alone fails nothing: a fault lasts until the banner has said what it must, the whole console is
// compared and not what of it is on the screen, and how far it must have come the game itself says.
//
// `npm run drill10` sets the first and the last. Prints a table, and keeps the figures in artifacts/drill10.json.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { after, before, test } from 'node:test';

import { ARTIFACTS, appearance, openBeside, openBrowser, openPage, showConsoleAsText, signIn, watched, wholeConsole } from './browser.mjs';
import { JUDGE, NEVER_MS, NodePanel, until } from './harness.mjs';
import { FaultyProxy } from './proxy.mjs';

const SECONDS = process.env.NODEPANEL_DRILL10_S === undefined ? null : Number(process.env.NODEPANEL_DRILL10_S);
const REPEAT = Number(process.env.NODEPANEL_DRILL10_REPEAT ?? 1);
/** The targets. */
const BANNER_MS = 2_000;
const RECOVERED_MS = 1_000;

const FAULTS = [
  { fault: 'down', words: 'API down', seconds: 10, says: /cannot be reached/ },
  { fault: 'html502', words: '502 HTML from a proxy', seconds: 3, says: /status 502/ },
  { fault: 'html401', words: '401 HTML from a proxy', seconds: 3, says: /session is untouched/ },
  { fault: 'json401', words: '401 JSON from a proxy', seconds: 3, says: /session is untouched/ },
  { fault: 'silent', words: 'half-open TCP', seconds: 7, says: /does not answer/ },
  { fault: 'slow', words: 'slow answers', seconds: 11, delayMs: SECONDS === null ? 8_000 : 20_000, says: /answers?, but only after|does not answer/ },
];

/** So slow that a page keeps all lines of a round. */
const TICK_S = Math.max(0.25, (SECONDS ?? 0) / 200);
/** Counts for ever; writes down how far it is, every line that it is told, and how often it was started. */
const GAME = `/bin/sh -c 'echo run >> runs; echo ready; (i=0; while :; do i=$((i+1)); echo "tick $i"; echo $i >> ticked; sleep ${TICK_S}; done) & while read -r line; do echo "$line" >> heard; done'`;

let nodepanel;
let proxy;
let browser;
let api;
before(async () => {
  nodepanel = await NodePanel.start();
  proxy = await FaultyProxy.start(nodepanel.url);
  browser = await openBrowser();
  api = await nodepanel.api();
});
after(async () => {
  await browser?.close();
  proxy?.close();
  await nodepanel?.stop();
});

test('nothing between the browser and NodePanel takes the page, the form, the console or a click', async (t) => {
  const counter = await nodepanel.serverRunning('Counter', GAME);
  const worker = await nodepanel.serverRunning('Worker', GAME);
  const { page: reader, mistakes } = await openPage(browser, proxy.url);
  const editor = await openBeside(reader);
  const figures = [];
  await watched(reader, 'drill10-console', () =>
    watched(editor, 'drill10-form', async () => {
      await signIn(reader);
      await reader.goto(`/servers/${counter.id}`);
      await showConsoleAsText(reader);
      await editor.goto(`/servers/${worker.id}/settings`);
      await editor.getByRole('heading', { name: 'General' }).waitFor();
      for (let round = 1; round <= REPEAT; round += 1) {
        if (round > 1) await reader.reload();
        for (const fault of FAULTS) figures.push(await drill({ ...fault, round, reader, editor, counter, worker }));
      }
    }),
  );
  assert.deepEqual(mistakes, []);
  await report(t, figures);
  // Last, so that one slow answer does not take the other figures along.
  if (JUDGE) {
    const late = figures.filter((each) => each.banner_ms > BANNER_MS || each.recovered_ms > RECOVERED_MS);
    assert.deepEqual(late, [], 'the banner or the recovery came too late');
  }
});

async function drill({ fault, words, seconds, delayMs = 0, says, round, reader, editor, counter, worker }) {
  const pages = [reader, editor];
  const banner = editor.getByTestId('outage');
  const lastsMs = (SECONDS ?? seconds) * 1_000;
  const mark = `${fault}-${round}`;
  const newName = `Worker ${mark}`;
  const name = editor.getByLabel('Name', { exact: true });
  const command = reader.getByLabel('Command', { exact: true });
  const save = editor.getByRole('region', { name: 'General' }).getByRole('button', { name: 'Save' });
  const restart = editor.getByRole('button', { name: 'Restart', exact: true });

  await until(`all is well before ${mark}`, async () => (ticks(await wholeConsole(reader)).length > 2 && (await banners(pages)) === 0 ? true : undefined));
  const { generation, since } = await until('the worker runs', async () => {
    const server = await api('GET', `/servers/${worker.id}`);
    return server.state === 'running' ? server : undefined;
  });
  // The page may be behind, and a button that will still go off for the restart before would not take the next click.
  await editor.locator(`header time[datetime="${since}"]`).waitFor();
  await until('the button knows', async () => ((await restart.getAttribute('aria-disabled')) === 'true' ? undefined : true));
  const runs = await nodepanel.linesOf(worker, 'runs');
  await name.fill(newName);
  await command.fill(`half a comm ${mark}`);
  const addresses = pages.map((page) => page.url());
  const last = ticks(await wholeConsole(reader)).at(-1);
  const stays = async () => {
    assert.deepEqual(pages.map((page) => page.url()), addresses, 'the page is where it was');
    assert.equal(await reader.getByLabel('Password').count(), 0, 'no sign-in page');
    assert.equal(await editor.getByLabel('Password').count(), 0, 'no sign-in page');
    assert.equal(await name.inputValue(), newName, 'the form is kept');
    assert.ok(ticks(await wholeConsole(reader)).includes(last), 'the console is kept');
  };

  const appeared = await Promise.all(pages.map((page) => appearance(page, '[data-testid="outage"]')));
  const began = await proxy.become(fault, { delayMs });
  // One click before the page can know, if the machine is quick enough, and others after.
  await restart.click();
  const bannerMs = Math.max(...(await Promise.all(appeared.map((each) => each())))) - began;
  assert.match(await banner.innerText(), /game servers go on/);
  await command.fill(`say ${mark}`);
  await command.press('Enter');
  await command.fill(`half a comm ${mark}`);
  await save.dblclick();
  for (let said = false, lasted = 0; !said || lasted < lastsMs; lasted = Date.now() - began) {
    await stays();
    assert.equal(await command.inputValue(), `half a comm ${mark}`, 'what is half typed is kept');
    const words = (await banner.allInnerTexts()).join();
    said ||= says.test(words);
    assert.ok(said || lasted < lastsMs + NEVER_MS, `the banner never said what is so (${says}), but: ${words}`);
    await editor.waitForTimeout(250);
  }

  const gone = await Promise.all(pages.map((page) => appearance(page, '[data-testid="outage"]', false)));
  const live = await appearance(reader, '.link-state[data-tone="good"]');
  const ended = await proxy.become('ok');
  const recoveredMs = Math.max(...(await Promise.all(gone.map((each) => each())))) - ended;
  const consoleMs = Math.max(0, (await live()) - ended);

  await until('the click on Save has come through', async () => ((await api('GET', `/servers/${worker.id}`)).name === newName ? true : undefined));
  await until('the click on Restart has come through', async () => ((await nodepanel.linesOf(worker, 'runs')).length > runs.length ? true : undefined));
  await until('the command has come through', async () => ((await nodepanel.linesOf(counter, 'heard')).includes(`say ${mark}`) ? true : undefined));
  await until('the form knows that it is saved', async () => ((await save.getAttribute('aria-disabled')) === 'true' && (await save.getAttribute('aria-busy')) === null ? true : undefined));
  const printed = (await nodepanel.linesOf(counter, 'ticked')).length;
  await until(`the console goes on, to tick ${printed}`, async () => ((ticks(await wholeConsole(reader)).at(-1) ?? 0) >= printed ? true : undefined));
  await stays();
  const seen = ticks(await wholeConsole(reader));
  const gaps = seen.flatMap((tick, index) => (index > 0 && tick !== seen[index - 1] + 1 ? [`${seen[index - 1]} to ${tick}`] : []));
  const effects = {
    // A restart and a changed name are one generation each.
    restarts: (await nodepanel.linesOf(worker, 'runs')).length - runs.length,
    changes: (await api('GET', `/servers/${worker.id}`)).generation - generation,
    commands: (await nodepanel.linesOf(counter, 'heard')).filter((line) => line === `say ${mark}`).length,
  };
  assert.deepEqual(effects, { restarts: 1, changes: 2, commands: 1 }, `every click has one effect (${words})`);
  assert.deepEqual(gaps, [], `the console has no gap (${words})`);
  return { fault: words, lasted_s: Math.round((ended - began) / 1_000), banner_ms: bannerMs, recovered_ms: recoveredMs, console_live_ms: consoleMs, clicks: 3, effects: 3, console_gaps: gaps.length };
}

async function report(t, figures) {
  const results = FAULTS.map(({ words }) => {
    const of = figures.filter(({ fault }) => fault === words);
    const spread = (key) => {
      const sorted = of.map((each) => each[key]).sort((a, b) => a - b);
      return { p50: sorted[Math.floor(sorted.length / 2)], max: sorted.at(-1) };
    };
    const sum = (key) => of.reduce((total, each) => total + each[key], 0);
    return {
      fault: words, times: of.length, lasted_s: of[0].lasted_s, banner_ms: spread('banner_ms'), recovered_ms: spread('recovered_ms'),
      console_live_ms: spread('console_live_ms'), clicks: sum('clicks'), effects: sum('effects'), console_gaps: sum('console_gaps'),
    };
  });
  const cell = ({ p50, max }) => (p50 === max ? String(max) : `${p50} / ${max}`);
  const rows = [
    ['fault', 'lasted', 'banner (<= 2000 ms)', 'recovered (<= 1000 ms)', 'console live', 'clicks = effects', 'gaps'],
    ...results.map((row) => [row.fault, `${row.lasted_s} s`, cell(row.banner_ms), cell(row.recovered_ms), cell(row.console_live_ms), `${row.clicks} = ${row.effects}`, String(row.console_gaps)]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  t.diagnostic(`p50 / max in ms, load average ${loadavg().map((load) => load.toFixed(1)).join(' ')}`);
  for (const row of rows) t.diagnostic(row.map((text, column) => text.padEnd(widths[column])).join('  '));
  await mkdir(ARTIFACTS, { recursive: true });
  await writeFile(new URL('drill10.json', ARTIFACTS), `${JSON.stringify({ load: loadavg(), results }, null, 2)}\n`);
}

const ticks = (text) => [...text.matchAll(/^tick (\d+)$/gm)].map((match) => Number(match[1]));

async function banners(pages) {
  const counts = await Promise.all(pages.map((page) => page.getByTestId('outage').count()));
  return counts.reduce((sum, count) => sum + count, 0);
}
