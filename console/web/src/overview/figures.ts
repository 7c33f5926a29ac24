// The figures of the overview, kept true by the feed.
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { useMemo } from 'react';
import { apiQuery } from '../api/client.ts';
import { useFeed } from '../api/feed.ts';
import { AlertFiguresDocument, DeliveryFiguresDocument, UnresolvedCountsDocument, WaitingDocument, type AlertFiguresQuery, type DeliveryFiguresQuery } from '../gql/graphql.ts';
import { useRefresh } from '../lib/refresh.ts';
import type { Range } from './range.ts';

const soon = 1_500; // ms between two readings of what is cheap to read

export function useFigures(range: Range) {
  const variables = useMemo(() => ({ from: range.from, bucket: range.bucket }), [range.from, range.bucket]);
  // When the range moves on it shows what it showed; when another is chosen it shows nothing that is not its own.
  const before = <T>(data: T | undefined, query: { queryKey: readonly unknown[] } | undefined) => {
    const { from, bucket } = (query?.queryKey[1] ?? {}) as Partial<typeof variables>;
    return from && bucket === range.bucket && Math.abs(Date.parse(range.from) - Date.parse(from)) <= 2 * range.step ? data : undefined;
  };
  const alerts = useQuery({ ...apiQuery(AlertFiguresDocument, variables), staleTime: 0, placeholderData: before<AlertFiguresQuery> });
  const deliveries = useQuery({ ...apiQuery(DeliveryFiguresDocument, variables), staleTime: 0, placeholderData: before<DeliveryFiguresQuery> });
  const unresolved = useQuery({ ...apiQuery(UnresolvedCountsDocument), staleTime: 0 });
  const waiting = useQuery({ ...apiQuery(WaitingDocument), staleTime: 0 });

  const readAlerts = useRefresh(again(alerts), range.calm);
  const readDeliveries = useRefresh(again(deliveries), range.calm);
  const readUnresolved = useRefresh(again(unresolved), soon);
  const readWaiting = useRefresh(again(waiting), soon);
  useFeed((events) => {
    if (events.some(({ kind }) => kind !== 'DELIVERY_UPDATED')) {
      readAlerts();
      readUnresolved();
    }
    // A new alert makes deliveries, which are not told one by one.
    readDeliveries();
    readWaiting();
  });
  return { variables, alerts, deliveries, unresolved, waiting };
}

// A reading that is under way is not cut short: on a busy server none would ever come to its end.
const again = (query: UseQueryResult) => () => query.refetch({ cancelRefetch: false });
