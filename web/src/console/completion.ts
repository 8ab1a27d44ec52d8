/** What the typed beginning of a command may become: this device's own commands first, then the template's. Pure. */

const MOST = 6;

/** The nearest last, as it stands next to the input. `history` is oldest first, `completions` in the template's order. */
export function suggest(typed: string, history: readonly string[], completions: readonly string[]): string[] {
  if (typed.trim() === '') return [];
  const beginning = typed.toLowerCase();
  const fitting = [...history].reverse().concat(completions).filter((line) => {
    const whole = line.toLowerCase();
    return whole.startsWith(beginning) && whole.trimEnd() !== beginning.trimEnd();
  });
  // A template's "say " next to an own "say hello" is worth its place; twice the same line is not.
  return [...new Set(fitting)].slice(0, MOST).reverse();
}
