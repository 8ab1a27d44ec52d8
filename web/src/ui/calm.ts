/** A value that changes no more often than its readers can bear; the newest one always arrives. */
import { useEffect, useRef, useState } from 'react';

/** `value`, at most once in `ms`; with 0 it is passed on as it is. */
export function useCalm<T>(value: T, ms: number): T {
  const [calm, setCalm] = useState(value);
  const last = useRef(0);
  useEffect(() => {
    if (ms === 0) return;
    const timer = setTimeout(() => {
      last.current = performance.now();
      setCalm(value);
    }, Math.max(0, last.current + ms - performance.now()));
    return () => clearTimeout(timer);
  }, [value, ms]);
  return ms === 0 ? value : calm;
}
