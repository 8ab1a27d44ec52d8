/**
 * xterm.js writes its styles into style elements, which the content security policy forbids. While a terminal opens, it
 * gets something else in their place, whose `textContent` fills a constructed style sheet, which is allowed.
 */
import type { Terminal } from '@xterm/xterm';

/** Opens a terminal in an element. Returns what removes its styles again. */
export function openTerminal(terminal: Terminal, parent: HTMLElement): () => void {
  const sheets: CSSStyleSheet[] = [];
  // Only the overload for tags of the distant past is deprecated.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const original = (tag: string): HTMLElement => Document.prototype.createElement.call(document, tag);
  const create = (tag: string): HTMLElement => {
    if (tag !== 'style') return original(tag);
    const element = original('template');
    const sheet = new CSSStyleSheet();
    sheets.push(sheet);
    Object.defineProperty(element, 'textContent', {
      get: () => '',
      set: (css: string) => sheet.replaceSync(css),
    });
    return element;
  };
  Object.defineProperty(document, 'createElement', { value: create, configurable: true, writable: true });
  try {
    terminal.open(parent);
  } finally {
    // The element's own method is on the prototype.
    Reflect.deleteProperty(document, 'createElement');
  }
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, ...sheets];
  return () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => !sheets.includes(sheet));
  };
}
