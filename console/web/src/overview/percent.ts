// "100 %", "99.97 %", "0 %": never rounded up to all, nor down to none.
export function percent(part: number): string {
  if (part === 0 || part === 1) return `${part * 100} %`;
  const digits = part > 0.9995 ? 2 : 1;
  const scale = 10 ** digits;
  const shown = part > 0.5 ? Math.floor(part * 100 * scale) / scale : Math.max(Math.round(part * 100 * scale) / scale, 1 / scale);
  return `${shown} %`;
}
