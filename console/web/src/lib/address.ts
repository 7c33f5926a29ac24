// Filters live in the address: a link to a view shows what its sender saw.
import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'wouter';

// The parameters of the address, and a way to change some of them: null, '' and [] take one out. The history does not grow by it.
export function useParams(): [URLSearchParams, (changes: Record<string, string | string[] | null>) => void] {
  const [params, set] = useSearchParams();
  const change = useCallback(
    (changes: Record<string, string | string[] | null>) =>
      set(
        (before) => {
          const after = new URLSearchParams(before);
          for (const [name, value] of Object.entries(changes)) {
            after.delete(name);
            for (const one of [value].flat()) if (one) after.append(name, one);
          }
          return after;
        },
        { replace: true },
      ),
    [set],
  );
  return useMemo(() => [params, change], [params, change]);
}

// Those of the values that are known: an address may have been written by hand.
export const known = <T extends string>(values: string[], all: readonly T[]): T[] => all.filter((value) => values.includes(value));
