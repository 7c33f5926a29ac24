import { useQuery } from '@tanstack/react-query';
import { apiQuery } from '../api/client.ts';
import { useFeed } from '../api/feed.ts';
import { queryClient } from '../api/queries.ts';
import { ChannelTypesDocument } from '../gql/graphql.ts';
import { useThrottled } from '../lib/throttle.ts';

export const refetchInterval = 15_000; // ms: what no event tells, such as a probe that is due

const changed = ['Channels', 'Channel', 'ChannelDeliveries'];

// Reads the channels anew, after somebody has changed one.
export const channelsChanged = () => Promise.all(changed.map((name) => queryClient.invalidateQueries({ queryKey: [name] })));

// Keeps what is shown of the channels true: how they fare follows what is told.
export function useChannelsLive() {
  const again = useThrottled(() => void channelsChanged(), 2000);
  useFeed((events) => {
    if (events.some(({ kind }) => kind === 'DELIVERY_UPDATED' || kind === 'ALERT_CREATED')) again();
  });
}

// What there is to know about the types does not change while the server runs.
export const useChannelTypes = () => useQuery({ ...apiQuery(ChannelTypesDocument), staleTime: 10 * 60_000 });
