// How the console bears a flood, measured in a real browser: `npm run bench` (NODEPANEL_BIN names the binary, as for the
// tests). A game prints LINES lines a second, coloured; after a pause to settle, SECONDS seconds are measured for each view,
// first while the newest lines are followed and then while a person reads further up. Prints one JSON object.
//
// Frames are those of `requestAnimationFrame`: 60 a second are all that a page can get. `main_thread_cpu` is what the page's
// main thread needs of a core and `cpu_ms_a_frame` what one frame costs it; a frame may cost 16.7 ms. Both are processor
// time, so that other programs of the machine change the frames but not the cost.
import { openBrowser, openPage, signIn } from '../browser.mjs';
import { NodePanel } from '../harness.mjs';

const LINES = Number(process.env.LINES ?? 5_000);
const SECONDS = Number(process.env.SECONDS ?? 10);
const BURST_MS = 10;
/** Perl, because a shell cannot print this many lines in even steps; every Debian has it. */
const FLOOD = `/usr/bin/perl -MTime::HiRes=time,sleep -e '$|=1; print "ready\\n"; my ($i,$t)=(0,time); while(1){ my $due=int((time-$t)*${LINES}); my $s=""; while($i<$due){$i++; $s.="\\e[32m[INFO]\\e[0m line $i of a game that has a lot to say about what its players do\\n";} print $s; sleep(${BURST_MS / 1_000}); }'`;

const nodepanel = await NodePanel.start();
const browser = await openBrowser();
try {
  const server = await nodepanel.serverRunning('Flood', FLOOD);
  const { page } = await openPage(browser, nodepanel.url);
  await signIn(page);
  await page.goto(`/servers/${server.id}`);
  await page.getByText('Live', { exact: true }).waitFor();
  const metrics = await meter(page);

  const results = { lines_a_second: LINES, seconds: SECONDS, views: {} };
  results.views.terminal = await measured(page, metrics);
  await page.getByTestId('terminal').hover();
  await page.mouse.wheel(0, -2_000);
  await page.getByRole('button', { name: /Jump to newest/ }).waitFor();
  results.views.terminal_scrolled_up = await measured(page, metrics);
  await page.getByRole('button', { name: 'Text view' }).click();
  await page.getByRole('log', { name: 'Console output' }).waitFor();
  results.views.text = await measured(page, metrics);
  console.log(JSON.stringify(results, null, 2));
} finally {
  await browser.close();
  await nodepanel.stop();
}

/** The browser's own counters of a page. */
async function meter(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  return async () => Object.fromEntries((await session.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
}

async function measured(page, metrics) {
  await page.waitForTimeout(3_000);
  const before = await metrics();
  const frames = await page.evaluate(
    (ms) =>
      new Promise((resolve) => {
        const gaps = [];
        const began = performance.now();
        let last = began;
        const frame = (now) => {
          gaps.push(now - last);
          last = now;
          if (now - began < ms) requestAnimationFrame(frame);
          else resolve(gaps.slice(1));
        };
        requestAnimationFrame(frame);
      }),
    SECONDS * 1_000,
  );
  const after = await metrics();
  const sorted = frames.toSorted((a, b) => a - b);
  const at = (part) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]);
  const seconds = frames.reduce((sum, gap) => sum + gap, 0) / 1_000;
  const cpu = after.ThreadTime - before.ThreadTime;
  return {
    frames_a_second: round(frames.length / seconds),
    frame_ms: { p50: at(0.5), p95: at(0.95), p99: at(0.99), longest: at(1) },
    main_thread_cpu: round(cpu / seconds),
    cpu_ms_a_frame: round((cpu * 1_000) / frames.length),
    layouts_a_second: round((after.LayoutCount - before.LayoutCount) / seconds),
    heap_mib: round(after.JSHeapUsedSize / 1_048_576),
  };
}

function round(value) {
  return Math.round(value * 1_000) / 1_000;
}
