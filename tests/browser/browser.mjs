// A browser, and the panel as a person uses it: everything is found by role, label and text.
import { mkdir } from 'node:fs/promises';

import { chromium } from 'playwright-core';

import { ADMIN } from './harness.mjs';

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
  page.setDefaultTimeout(15_000);
  return { page, mistakes, close: () => context.close() };
}

export async function signIn(page) {
  await page.goto('/');
  await page.getByLabel('E-mail').fill(ADMIN.email);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Servers', exact: true }).waitFor();
}

/** The console as text, oldest line first. */
export async function consoleText(page) {
  return page.getByRole('log', { name: 'Console output' }).innerText();
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

/** Runs the steps of a test, and keeps a picture when one of them fails. */
export async function watched(page, name, steps) {
  try {
    await steps();
  } catch (error) {
    await keepPicture(page, name).catch(() => undefined);
    throw error;
  }
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
      timer = setTimeout(() => reject(new Error(`${selector}: ${there ? 'not there' : 'still there'} after 30 s`)), 30_000);
    });
    return Promise.race([at.evaluate(({ appeared }) => appeared), late]).finally(() => clearTimeout(timer));
  };
}
