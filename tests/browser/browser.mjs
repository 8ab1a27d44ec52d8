// A browser, and the panel as a person uses it: everything is found by role, label and text.
import { mkdir } from 'node:fs/promises';
import { loadavg } from 'node:os';

import { chromium } from 'playwright-core';

import { ADMIN, NEVER_MS } from './harness.mjs';

const ARGUMENTS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
export const ARTIFACTS = new URL('./artifacts/', import.meta.url);

export async function openBrowser() {
  return chromium.launch({ executablePath: process.env.NODEPANEL_CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
}

/** Opens a page of its own. What the content security policy refuses and what the panel throws is collected. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ baseURL: url, viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const mistakes = [];
  page.on('pageerror', (error) => mistakes.push(String(error.stack ?? error)));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) mistakes.push(message.text());
  });
  page.setDefaultTimeout(NEVER_MS);
  return { page, mistakes, close: () => context.close() };
}

/** Another tab of the same person. */
export async function openBeside(page) {
  const beside = await page.context().newPage();
  beside.setDefaultTimeout(NEVER_MS);
  return beside;
}

export async function signIn(page) {
  await page.goto('/');
  await page.getByLabel('E-mail').fill(ADMIN.email);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Servers', exact: true }).waitFor();
}

/** The console as text, oldest line first: as much of it as is on the page. */
export async function consoleText(page) {
  return page.getByRole('log', { name: 'Console output' }).innerText();
}

/**
 * All of the console since the page was opened. What is on the page without asking is bounded, so a slow machine's line of a
 * while ago is no longer there, although nobody lost it.
 */
export async function wholeConsole(page) {
  const log = page.getByRole('log', { name: 'Console output' });
  const older = log.getByRole('button', { name: 'Show older lines' });
  while ((await older.count()) > 0) await older.press('Enter');
  return log.innerText();
}

export async function showConsoleAsText(page) {
  const button = page.getByRole('button', { name: 'Text view' });
  if ((await button.getAttribute('aria-pressed')) !== 'true') await button.click();
  await page.getByRole('log', { name: 'Console output' }).waitFor();
}

/** A picture of what a failing test saw. */
export async function keepPicture(page, name) {
  await mkdir(ARTIFACTS, { recursive: true });
  await page.screenshot({ path: new URL(`${name}.png`, ARTIFACTS).pathname, fullPage: true });
}

/** Runs the steps of a test, and keeps a picture when one of them fails, and in words what the page said. */
export async function watched(page, name, steps) {
  try {
    await steps();
  } catch (error) {
    await keepPicture(page, name).catch(() => undefined);
    error.message += `\n${name}, ${page.url()}, load average ${loadavg().map((load) => load.toFixed(1)).join(' ')}:\n${await words(page)}`;
    throw error;
  }
}

/** What stands on a page, without the middle when it is long. */
async function words(page) {
  const text = await page.locator('body').innerText({ timeout: 10_000 }).catch((error) => `(it cannot be asked: ${error.message})`);
  return text.length > 2_500 ? `${text.slice(0, 1_000)}\n…\n${text.slice(-1_500)}` : text;
}

/**
 * Watches a page from now on for something to appear, or to go when `there` is false. Gives the function that waits for it
 * and resolves with when it was, by the page's clock, in milliseconds since the epoch.
 */
export async function appearance(page, selector, there = true) {
  const at = await page.evaluateHandle(
    ([wanted, present]) => {
      const appeared = new Promise((resolve) => {
        const look = () => (document.querySelector(wanted) !== null) === present && (watcher.disconnect(), resolve(Date.now()));
        const watcher = new MutationObserver(look);
        watcher.observe(document.body, { childList: true, subtree: true, attributes: true });
        look();
      });
      return { appeared };
    },
    [selector, there],
  );
  return async () => {
    // What never comes must fail this step, not the whole run.
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${selector}: ${there ? 'not there' : 'still there'} after ${NEVER_MS / 1_000} s`)), NEVER_MS);
    });
    return Promise.race([at.evaluate(({ appeared }) => appeared), late]).finally(() => clearTimeout(timer));
  };
}
