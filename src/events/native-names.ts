/**
 * Details as they are told outside: stored as the program names things, `nextAttemptAtMs` is told as
 * `next_attempt_at`, a time.
 */
export function nativeNames(detail: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(detail).map(([name, value]) => {
    const isTime = name.endsWith('AtMs') && typeof value === 'number';
    const snake = name.replace(/Ms$/, '').replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return isTime ? [snake, new Date(value).toISOString()] : [snake, value];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}
