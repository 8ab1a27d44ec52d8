/** The terminal's colours. Each of the sixteen has a contrast of at least 4.5 to the background of its theme. */
import type { ITheme } from '@xterm/xterm';

export const TERMINAL_THEMES: Record<'light' | 'dark', ITheme> = {
  dark: {
    background: '#0b0e12', foreground: '#dfe4ea', cursor: '#0b0e12', selectionBackground: '#33507a',
    black: '#8a93a0', red: '#ff7b72', green: '#57c26b', yellow: '#dcaa3c', blue: '#79b0ff', magenta: '#d2a0ff',
    cyan: '#4fc3cf', white: '#dfe4ea', brightBlack: '#8f99a7', brightRed: '#ff9a92', brightGreen: '#7ee08f',
    brightYellow: '#f0c85c', brightBlue: '#a3c9ff', brightMagenta: '#e2c2ff', brightCyan: '#82dfe8', brightWhite: '#ffffff',
  },
  light: {
    background: '#ffffff', foreground: '#1b2027', cursor: '#ffffff', selectionBackground: '#b9d4ff',
    black: '#1b2027', red: '#b42318', green: '#14703a', yellow: '#7d5700', blue: '#1c55c4', magenta: '#8532b8',
    cyan: '#0b6a75', white: '#565f6b', brightBlack: '#5d6673', brightRed: '#c4320a', brightGreen: '#18743e',
    brightYellow: '#855d00', brightBlue: '#2563d6', brightMagenta: '#9440c9', brightCyan: '#0f717c', brightWhite: '#3b434e',
  },
};
