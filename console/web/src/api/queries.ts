import { QueryClient } from '@tanstack/react-query';
import { ApiError } from './client.ts';

// What is shown is kept true by the feed: nothing is read anew because time has passed or a window came to the front.
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      // Only what may be different next time is asked again.
      retry: (failures, error) => failures < 3 && error instanceof ApiError && ['NETWORK', 'OVERLOADED', 'INTERNAL'].includes(error.code),
      networkMode: 'always', // it may be this very machine that the browser is to reach
    },
    mutations: { networkMode: 'always' },
  },
});
