// A list that is read page by page, newest first, and kept true by the feed: alerts, deliveries.
import { useQuery, useQueryClient, type QueryKey } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useFeed, type FeedEvent } from '../api/feed.ts';

type Node = { id: string };
type PageOf<T> = { nodes: T[]; pageInfo: { hasNextPage: boolean; endCursor: string | null }; totalCount: number };
export type Pages<T> = { pages: PageOf<T>[] };

const firstPage = 50;
const nextPages = 200;
const mostFresh = 1000; // that came in while one looked; beyond it the list begins anew

export type LiveList<T> = {
  items: T[];
  total: number | undefined; // all that match, those that are not read yet included
  isLoading: boolean;
  error: Error | null;
  hasMore: boolean;
  isLoadingMore: boolean;
  more: () => void;
  moreFailed: boolean;
  retryMore: () => void;
  held: number; // new ones that are not shown yet, because `hold` is set
  release: () => void; // shows them
  reload: () => void;
  fresh: ReadonlySet<string>; // ids of what came in while one looked, to be shown as new
};

// Ids are numbers, and the newest has the largest.
const newer = (a: string, b: string) => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);

// Where the next page begins; null when all is read.
const nextOf = (data: Pages<unknown> | undefined) => {
  const info = data?.pages.at(-1)?.pageInfo;
  return info?.hasNextPage ? info.endCursor : null;
};

export function useLiveList<T extends Node>(options: {
  key: QueryKey;
  read: (after: string | null, first: number, signal: AbortSignal) => Promise<PageOf<T>>;
  nodeOf: (event: FeedEvent) => T | null | undefined; // what an event says of an entry, as a whole
  isGone?: (event: FeedEvent) => boolean; // the entry was deleted
  matches: (node: T) => boolean; // the filter, as the server has it
  hold: boolean; // somebody reads further down: new entries wait
  onNew?: (nodes: T[]) => void;
}): LiveList<T> {
  const { key, read, nodeOf, isGone, matches, hold, onNew } = options;
  const client = useQueryClient();
  const id = JSON.stringify(key);
  const [waiting, setWaiting] = useState<{ of: string; nodes: T[] }>({ of: id, nodes: [] });
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const held = waiting.of === id ? waiting.nodes : [];
  const early = useRef<FeedEvent[]>([]); // events from before the first page was there
  const underway = useRef(new Set<FeedEvent[]>()); // for each further page that is on its way: the events since it was asked for

  type Data = Pages<T>;
  const query = useQuery({
    queryKey: key,
    queryFn: async ({ signal }): Promise<Data> => ({ pages: [await read(null, firstPage, signal)] }),
    staleTime: Infinity,
    gcTime: 0, // once it is not listened for, it is not true any more
  });

  // The further page that is asked for, by where it begins. It is put behind what the list is when it comes, not when it was asked for, so
  // that what happens meanwhile is not undone.
  const [further, setFurther] = useState<{ after: string; failed: boolean } | null>(null);
  const asked = useRef<AbortController | null>(null);
  const next = nextOf(query.data);
  const failed = further !== null && further.after === next && further.failed;

  const readMore = async () => {
    if (next === null || asked.current) return;
    const turn = new AbortController();
    const meanwhile: FeedEvent[] = [];
    const above = query.data?.pages.at(-1)?.nodes.at(-1)?.id;
    asked.current = turn;
    underway.current.add(meanwhile);
    setFurther({ after: next, failed: false });
    try {
      const page = await read(next, nextPages, turn.signal);
      turn.signal.throwIfAborted();
      client.setQueryData<Data>(key, (data) => data && (nextOf(data) === next ? { pages: [...data.pages, upToDate(page, above, meanwhile)] } : data));
      setFurther(null);
    } catch {
      if (!turn.signal.aborted) setFurther({ after: next, failed: true });
    } finally {
      underway.current.delete(meanwhile);
      if (asked.current === turn) asked.current = null;
    }
  };
  const begin = () => {
    asked.current?.abort();
    asked.current = null;
  };
  useEffect(() => begin, [id]);

  const reload = useCallback(() => {
    begin();
    setFurther(null);
    setWaiting({ of: id, nodes: [] });
    void client.resetQueries({ queryKey: key, exact: true });
    // eslint-disable-next-line -- id stands for key
  }, [client, id]);

  // What happened while a page was on its way may not be in it, and has been looked for in the others only. The page begins below
  // the node above.
  const upToDate = (page: PageOf<T>, above: string | undefined, events: FeedEvent[]): PageOf<T> => {
    const nodes = new Map(page.nodes.map((node) => [node.id, node]));
    const start = above ?? page.nodes[0]?.id;
    const end = page.pageInfo.hasNextPage ? page.nodes.at(-1)?.id : undefined;
    const within = (id: string) => start !== undefined && newer(id, start) < 0 && (end === undefined || newer(id, end) > 0);
    for (const event of events) {
      const node = nodeOf(event);
      if (!node) continue;
      if (isGone?.(event) || !matches(node)) nodes.delete(node.id);
      else if (nodes.has(node.id) || within(node.id)) nodes.set(node.id, node);
    }
    return { ...page, nodes: [...nodes.values()].sort((a, b) => newer(b.id, a.id)) };
  };

  // Puts new nodes where they belong, and counts them. What leaves or enters the list further down, where it is not read yet, cannot be
  // counted: the page that was read last knows best.
  const insert = (data: Data, nodes: T[], counted: number): Data => {
    const [head, ...rest] = data.pages;
    if (!head) return data;
    const all = [...nodes, ...head.nodes].sort((a, b) => newer(b.id, a.id));
    return { pages: [{ ...head, nodes: all }, ...rest].map((page) => ({ ...page, totalCount: page.totalCount + counted })) };
  };

  const apply = (events: FeedEvent[]) => {
    for (const meanwhile of underway.current) meanwhile.push(...events);
    const data = client.getQueryData<Data>(key);
    if (!data) {
      early.current.push(...events);
      return;
    }
    const shown = new Map<string, T>();
    for (const page of data.pages) for (const node of page.nodes) shown.set(node.id, node);
    const now = new Map(held.map((node) => [node.id, node]));
    const changed = new Map<string, T | null>(); // of what is shown; null = it is gone from this list
    const last = data.pages.at(-1);
    const oldest = last?.pageInfo.hasNextPage ? last.nodes.at(-1)?.id : undefined;
    const created: T[] = [];
    let counted = 0;
    for (const event of events) {
      const node = nodeOf(event);
      if (!node) continue;
      const fits = !isGone?.(event) && matches(node);
      const was = changed.get(node.id) ?? shown.get(node.id);
      if (shown.has(node.id)) {
        if (was && changed.get(node.id) !== null && !fits) counted--;
        if (changed.get(node.id) === null && fits) counted++;
        changed.set(node.id, fits ? node : null);
      } else if (now.has(node.id)) {
        if (fits) now.set(node.id, node);
        else {
          now.delete(node.id);
          counted--;
        }
      } else if (fits) {
        // Older than what is read so far: it comes with its page.
        if (oldest !== undefined && newer(node.id, oldest) < 0) continue;
        now.set(node.id, node);
        created.push(node);
        counted++;
      }
    }
    if (now.size > mostFresh && !hold) {
      reload();
      return;
    }
    const release = hold ? [] : [...now.values()];
    if (changed.size > 0 || release.length > 0 || counted !== 0) {
      client.setQueryData<Data>(key, (before) => {
        if (!before) return before;
        const pages =
          changed.size === 0
            ? before.pages
            : before.pages.map((page) =>
                page.nodes.some(({ id }) => changed.has(id))
                  ? { ...page, nodes: page.nodes.flatMap((node) => (changed.has(node.id) ? (changed.get(node.id) ?? []) : node)) }
                  : page,
              );
        return insert({ pages }, release, counted);
      });
    }
    setWaiting({ of: id, nodes: hold ? [...now.values()].slice(-mostFresh - 1) : [] });
    if (release.length > 0) setFresh(new Set(release.map((node) => node.id)));
    if (created.length > 0) onNew?.(created);
  };

  useFeed(apply);

  // What happened while the first page was on its way.
  const ready = query.data !== undefined;
  useEffect(() => {
    if (!ready) return;
    const events = early.current;
    early.current = [];
    if (events.length > 0) apply(events);
  });

  const release = () => {
    if (held.length > mostFresh) {
      reload();
      return;
    }
    client.setQueryData<Data>(key, (before) => before && insert(before, held, 0));
    setFresh(new Set(held.map((node) => node.id)));
    setWaiting({ of: id, nodes: [] });
  };

  // A page may have what an event has brought before.
  const items = useMemo(() => {
    const seen = new Set<string>();
    return (query.data?.pages ?? []).flatMap((page) => page.nodes.filter((node) => !seen.has(node.id) && seen.add(node.id)));
  }, [query.data]);

  const more = () => {
    if (!failed) void readMore();
  };
  // All that was read has left the filter, and there is more.
  useEffect(() => {
    if (query.data && items.length === 0) more();
  });

  return {
    items,
    total: query.data && next === null && held.length <= mostFresh ? items.length + held.length : query.data?.pages.at(-1)?.totalCount,
    isLoading: query.isPending,
    error: query.error,
    hasMore: next !== null,
    isLoadingMore: further !== null && further.after === next && !failed,
    more,
    moreFailed: failed,
    retryMore: () => void readMore(),
    held: held.length,
    release,
    reload,
    fresh,
  };
}
