import { useQueryClient } from '@tanstack/react-query';
import { request } from '../api/client.ts';
import { useFeed } from '../api/feed.ts';
import { DeliveriesDocument, type DeliveryFilter } from '../gql/graphql.ts';
import type { Pages } from '../lib/live-list.ts';
import { useThrottled } from '../lib/throttle.ts';
import { shows, type Delivery } from './filter.ts';

const newest = 100;

// The feed tells of a delivery when something is done with it, not when it begins to wait. One that waits long, because its channel
// is out of service or has had enough for a minute, would not be seen: after new alerts the newest deliveries are read, and those
// that are not in the list come into it. What is there already is left as it is: the feed knows it better.
export function useUntold(key: readonly unknown[], filter: DeliveryFilter, may: boolean) {
  const client = useQueryClient();
  const look = useThrottled(() => {
    if (!may || !shows(filter, 'PENDING')) return;
    request(DeliveriesDocument, { filter, first: newest, after: null }).then(
      ({ deliveries }) =>
        client.setQueryData<Pages<Delivery>>(key, (data) => {
          const [head, ...rest] = data?.pages ?? [];
          if (!data || !head) return data;
          const known = new Set(data.pages.flatMap((page) => page.nodes.map(({ id }) => id)));
          const first = BigInt(head.nodes.at(-1)?.id ?? 0);
          const unknown = deliveries.nodes.filter(({ id }) => !known.has(id) && (BigInt(id) > first || !head.pageInfo.hasNextPage));
          if (unknown.length === 0) return data;
          const nodes = [...unknown, ...head.nodes].sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? 1 : -1));
          return { pages: [{ ...head, nodes }, ...rest].map((page) => ({ ...page, totalCount: deliveries.totalCount })) };
        }),
      () => {}, // the next one tries again
    );
  }, 2000);
  useFeed((events) => {
    if (events.some(({ kind }) => kind === 'ALERT_CREATED')) look();
  });
}
