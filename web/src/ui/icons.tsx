/** The panel's icons: 16 px strokes in the colour of the text. All are decoration; the words beside them speak. */
import type { ReactNode } from 'react';

function icon(path: ReactNode, fill = false) {
  return function Icon() {
    return (
      <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false" data-fill={fill || undefined}>
        {path}
      </svg>
    );
  };
}

export const PlayIcon = icon(<path d="M4.5 3v10l8-5z" />, true);
export const StopIcon = icon(<rect x="4" y="4" width="8" height="8" rx="1" />, true);
export const RestartIcon = icon(<path d="M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3" />);
export const KillIcon = icon(<path d="M4.5 4.5l7 7m0-7l-7 7" />);
export const CopyIcon = icon(<path d="M6 5.5h7v8H6zM3 10.5V2.5h7" />);
export const CheckIcon = icon(<path d="M3 8.5l3.3 3.3L13 5" />);
export const AlertIcon = icon(<path d="M8 2l6.5 11.5h-13zM8 6.5v3M8 11.5v.2" />);
export const DrillIcon = icon(<path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 8h.1" />);
export const SearchIcon = icon(<path d="M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6L14 14" />);
export const DownIcon = icon(<path d="M8 3v10M4 9l4 4 4-4" />);
export const PlusIcon = icon(<path d="M8 3v10M3 8h10" />);
export const MoreIcon = icon(<path d="M3 8h.1M8 8h.1M13 8h.1" />);
export const SunIcon = icon(<path d="M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1" />);
export const UserIcon = icon(<path d="M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14c.7-2.6 2.8-4 5.5-4s4.8 1.4 5.5 4" />);
export const RunningIcon = icon(<circle cx="8" cy="8" r="4.5" />, true);
export const StoppedIcon = icon(<circle cx="8" cy="8" r="4.5" />);
export const BusyIcon = icon(<path d="M8 3.5A4.5 4.5 0 1 1 3.5 8" />);
export const UnknownIcon = icon(<path d="M6 6.2C6 5 6.9 4 8.1 4s2 .9 2 2c0 1.5-2.1 1.7-2.1 3.4M8 12v.1" />);
export const ClockIcon = icon(<path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3.2l2 1.3" />);
export const TextIcon = icon(<path d="M2.5 4h11M2.5 8h11M2.5 12h7" />);
export const BackIcon = icon(<path d="M10 3L5 8l5 5" />);
