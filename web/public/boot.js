// Runs before the panel and knows nothing of it: when one of the panel's own files did not arrive, for example because the
// API server that sent it was just replaced, the page would stay without it for ever. Loads the page again as soon as
// something answers, and asks for a lost style sheet again. What is already shown is never taken away for it.
(() => {
  const FIRST_MS = 500;
  const LAST_MS = 10_000;
  let pauseMs = FIRST_MS;
  let waiting = false;

  /** The words of index.html stand until the panel takes their place. */
  const started = () => document.getElementById('boot') === null;

  const tryAgain = () => {
    if (started()) return;
    fetch('/', { cache: 'no-store' })
      .then((answer) => (answer.ok ? location.reload() : wait()))
      .catch(wait);
  };

  const wait = () => {
    setTimeout(tryAgain, pauseMs * (0.75 + Math.random() / 2));
    pauseMs = Math.min(LAST_MS, pauseMs * 2);
  };

  const missing = ({ target }) => {
    if (target instanceof HTMLLinkElement && target.rel === 'stylesheet') {
      setTimeout(() => target.replaceWith(target.cloneNode()), LAST_MS / 4);
      return;
    }
    if (!(target instanceof HTMLScriptElement) || waiting || started()) return;
    waiting = true;
    document.getElementById('boot').dataset.late = '';
    wait();
  };
  window.addEventListener('error', missing, true);
})();
